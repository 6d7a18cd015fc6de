/* SPDX-License-Identifier: Apache-2.0 */
#include "cred/sigv4.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "hash.h"
#include "own.h"
#include "secret.h"

#define MAX_SIGNED 64			/* fields under the signature */
#define MAX_PARAMS 256

static int hmac(const void *key, size_t n, const char *text, size_t len, uint8_t out[32])
{
	unsigned got = 32;

	return HMAC(EVP_sha256(), key, (int)n, (const uint8_t *)text, len, out, &got) ? 0 : -EIO;
}

/* RFC 3986 unreserved bytes stay; everything else is %XX in upper case. */
static void put_escaped(struct buf *b, struct slice s, const char *keep)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c && (strchr(plain, c) || strchr(keep, c)))
			buf_put(b, &c, 1);
		else
			buf_printf(b, "%%%02X", (uint8_t)c);
	}
}

/* Parts of a query that are escaped already stay as they are; '+' and the like are escaped. */
static void put_param(struct buf *b, struct slice s)
{
	put_escaped(b, s, "%");
}

struct param {
	struct slice key, value;
};

static int slice_order(struct slice a, struct slice b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int order = memcmp(a.p, b.p, n);

	return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int by_key(const void *a, const void *b)
{
	const struct param *p = a, *q = b;
	int order = slice_order(p->key, q->key);

	return order ? order : slice_order(p->value, q->value);
}

static int put_query(struct buf *b, struct slice query)
{
	struct param params[MAX_PARAMS];
	size_t n = 0;

	while (query.n) {
		const char *amp = memchr(query.p, '&', query.n);
		struct slice one = { query.p, amp ? (size_t)(amp - query.p) : query.n };
		const char *eq = memchr(one.p, '=', one.n);

		if (n == MAX_PARAMS)
			return -E2BIG;
		params[n].key = (struct slice){ one.p, eq ? (size_t)(eq - one.p) : one.n };
		params[n].value = eq ? (struct slice){ eq + 1, one.n - params[n].key.n - 1 } : SLICE("");
		n += one.n > 0;
		query.p += one.n + (amp != NULL);
		query.n -= one.n + (amp != NULL);
	}
	qsort(params, n, sizeof(*params), by_key);
	for (size_t i = 0; i < n; i++) {
		buf_str(b, i ? "&" : "");
		put_param(b, params[i].key);
		buf_str(b, "=");
		put_param(b, params[i].value);
	}
	return 0;
}

static bool is_signed(const char *name)
{
	return !strncmp(name, "x-amz-", 6) || !strcmp(name, "content-type") || !strcmp(name, "content-md5");
}

struct line {
	const char *name;
	struct slice value;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct line *)a)->name, ((const struct line *)b)->name);
}

/* Names and values under the signature, sorted: into `text` as lines, into `names` with ';'. */
static int put_fields(const struct head *h, struct buf *text, struct buf *names)
{
	struct line lines[MAX_SIGNED] = { { "host", slice_of(head_str(h, h->authority)) } };
	size_t n = 1;

	for (uint32_t i = 0; i < h->n_fields; i++) {
		const struct field *f = &h->fields[i];

		if (!is_signed(h->text + f->name))
			continue;
		if (n == MAX_SIGNED)
			return -E2BIG;
		lines[n++] = (struct line){ h->text + f->name, head_value(h, f) };
	}
	qsort(lines, n, sizeof(*lines), by_name);
	for (size_t i = 0; i < n; i++) {
		if (i && !strcmp(lines[i].name, lines[i - 1].name))
			return -EINVAL;	/* two of one name would have to be joined: nobody sends that */
		buf_printf(text, "%s:", lines[i].name);
		buf_put(text, lines[i].value.p, lines[i].value.n);
		buf_str(text, "\n");
		buf_printf(names, "%s%s", i ? ";" : "", lines[i].name);
	}
	return 0;
}

static void hex(const uint8_t *p, char out[65])
{
	for (int i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static int signing_key(const struct sigv4 *s, const char *day, uint8_t key[32])
{
	char first[4 + 256];
	size_t n = 4 + s->secret.n;
	int r;

	if (s->secret.n > 256)
		return -E2BIG;
	memcpy(first, "AWS4", 4);
	memcpy(first + 4, s->secret.p, s->secret.n);
	r = hmac(first, n, day, 8, key);
	if (r == 0)
		r = hmac(key, 32, s->region, strlen(s->region), key);
	if (r == 0)
		r = hmac(key, 32, s->service, strlen(s->service), key);
	if (r == 0)
		r = hmac(key, 32, "aws4_request", 12, key);
	secret_wipe(first, sizeof(first));
	return r;
}

/* S3 signs the path as it is sent; everybody else escapes it once more. */
static void put_path(struct buf *b, const struct sigv4 *s, const char *path)
{
	if (!strcmp(s->service, "s3"))
		buf_str(b, path);
	else
		put_escaped(b, slice_of(path), "/");
}

static int canonical(const struct sigv4 *s, const struct head *h, const char *path, struct slice query,
		     const char *payload, struct buf *names, uint8_t digest[32])
{
	struct buf b = { 0 };
	int r;

	buf_printf(&b, "%s\n", head_str(h, h->method));
	put_path(&b, s, path);
	buf_str(&b, "\n");
	r = put_query(&b, query);
	buf_str(&b, "\n");
	if (r == 0)
		r = put_fields(h, &b, names);
	buf_str(&b, "\n");
	buf_put(&b, names->p, names->n);
	buf_printf(&b, "\n%s", payload);
	if (r == 0 && (!buf_ok(&b) || !buf_ok(names) || hash_bytes(b.p, b.n, digest) < 0))
		r = -ENOMEM;
	buf_done(&b);
	return r;
}

static int add_signature(const struct sigv4 *s, struct head *h, const char *date, const uint8_t digest[32],
			 struct slice names)
{
	char text[256], request[65], signature[65];
	struct buf b = { 0 };
	uint8_t key[32], mac[32];
	int r, n;

	hex(digest, request);
	n = snprintf(text, sizeof(text), "AWS4-HMAC-SHA256\n%s\n%.8s/%s/%s/aws4_request\n%s", date, date, s->region,
		     s->service, request);
	if (n < 0 || (size_t)n >= sizeof(text))
		return -E2BIG;
	r = signing_key(s, date, key);
	if (r == 0)
		r = hmac(key, 32, text, (size_t)n, mac);
	secret_wipe(key, sizeof(key));
	if (r < 0)
		return r;
	hex(mac, signature);
	buf_printf(&b, "AWS4-HMAC-SHA256 Credential=%.*s/%.8s/%s/%s/aws4_request, SignedHeaders=%.*s, Signature=%s",
		   (int)s->key_id.n, s->key_id.p, date, s->region, s->service, (int)names.n, names.p, signature);
	if (!buf_ok(&b) || !head_set(h, "authorization", (struct slice){ b.p, b.n }))
		r = -ENOMEM;
	buf_done(&b);
	return r;
}

int sigv4_sign(const struct sigv4 *s, struct head *h, const char *path, struct slice query)
{
	char date[17], payload[65] = "UNSIGNED-PAYLOAD";
	struct buf names = { 0 };
	uint8_t digest[32];
	struct tm tm;
	int r;

	if (!gmtime_r(&s->now, &tm) || !strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm))
		return -EINVAL;
	if (s->has_body_hash)
		hex(s->body_hash, payload);
	head_drop(h, "authorization");
	head_drop(h, "x-amz-security-token");
	head_drop(h, "x-amz-content-sha256");
	if (!head_set(h, "x-amz-date", slice_of(date)) ||
	    (!strcmp(s->service, "s3") && !head_set(h, "x-amz-content-sha256", slice_of(payload))) ||
	    (s->token.n && !head_set(h, "x-amz-security-token", s->token)))
		return -E2BIG;
	r = canonical(s, h, path, query, payload, &names, digest);
	if (r == 0)
		r = add_signature(s, h, date, digest, (struct slice){ names.p, names.n });
	buf_done(&names);
	return r;
}

#define AWS ".amazonaws.com"

/* The label that ends at `end`, at or behind `host`. */
static const char *label_before(const char *host, const char *end)
{
	while (end > host && end[-1] != '.')
		end--;
	return end;
}

static bool ends_with(const char *s, size_t n, const char *tail)
{
	return n >= strlen(tail) && !memcmp(s + n - strlen(tail), tail, strlen(tail));
}

/* Where AWS' own domain begins, in China one below .cn; NULL = the host is not AWS'. */
static const char *domain_of(const char *host)
{
	size_t n = strlen(host);

	if (ends_with(host, n, AWS ".cn"))
		n -= strlen(".cn");
	return ends_with(host, n, AWS) ? host + n - strlen(AWS) : NULL;
}

/* "eu-west-1": "iam" and "s3-accelerate" are none. */
static bool is_region(const char *from, const char *end)
{
	return memchr(from, '-', (size_t)(end - from)) && end[-1] >= '0' && end[-1] <= '9' && end - from < 32;
}

void sigv4_region(const char *host, char out[32])
{
	const char *end = domain_of(host), *from = end ? label_before(host, end) : NULL;

	snprintf(out, 32, "us-east-1");
	if (end && from < end && is_region(from, end))
		snprintf(out, 32, "%.*s", (int)(end - from), from);
}

static bool is_label(const char *from, const char *end, const char *word)
{
	return (size_t)(end - from) == strlen(word) && !memcmp(from, word, (size_t)(end - from));
}

bool sigv4_service(const char *host, char out[32])
{
	/* Hosts whose first word is not what they sign by. */
	static const struct {
		const char *host, *service;
	} others[] = {
		{ "bedrock-runtime", "bedrock" }, { "bedrock-agent", "bedrock" }, { "bedrock-agent-runtime", "bedrock" },
		{ "email", "ses" },
	};
	static const char fips[] = "-fips";
	const char *end = domain_of(host), *from;

	if (!end || end == host)
		return false;
	from = label_before(host, end);
	for (int i = 0; i < 2 && from > host && (is_region(from, end) || is_label(from, end, "dualstack")); i++) {
		end = from - 1;
		from = label_before(host, end);
	}
	if (end - from > (ptrdiff_t)strlen(fips) && !memcmp(end - strlen(fips), fips, strlen(fips)))
		end -= strlen(fips);
	if (from == end || end - from >= 32 || is_region(from, end))
		return false;
	snprintf(out, 32, "%.*s", (int)(end - from), from);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (!strcmp(out, others[i].host))
			strcpy(out, others[i].service);
	return true;
}
