/* SPDX-License-Identifier: Apache-2.0 */
#include "cred/set.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"
#include "secret.h"

static uint32_t numbers;		/* given out so far */

static int read_at(int fd, void *p, size_t n, size_t at, struct err *e)
{
	for (size_t done = 0; done < n;) {
		ssize_t r = pread(fd, (char *)p + done, n - done, (off_t)(at + done));

		if (r <= 0)
			return fail(e, EBADMSG, "credentials: cut short");
		done += (size_t)r;
	}
	return 0;
}

/* Printable ASCII: anything else could end a header line. */
static bool printable(struct slice s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

/*
 * The value of "key" in a flat JSON object of plain texts, in place: no library may spread copies of it
 * over the heap. An escape in it is refused.
 */
struct slice member(struct slice json, const char *key)
{
	char quoted[40];
	int n = snprintf(quoted, sizeof(quoted), "\"%s\"", key);
	const char *p = memmem(json.p, json.n, quoted, (size_t)n), *end = json.p + json.n, *q;

	if (!p)
		return (struct slice){ 0 };
	for (p += n; p < end && strchr(" \t\r\n:", *p) && *p; p++)
		;
	if (p >= end || *p++ != '"')
		return (struct slice){ 0 };
	q = memchr(p, '"', (size_t)(end - p));
	if (!q || memchr(p, '\\', (size_t)(q - p)))
		return (struct slice){ 0 };
	return (struct slice){ p, (size_t)(q - p) };
}

static bool is_key(struct slice s)
{
	return s.n >= SCAN_TEXT_MIN && printable(s);
}

static int split_aws(struct cred *c, struct slice all, struct err *e)
{
	c->secret = member(all, "secret_access_key");
	c->key_id = member(all, "access_key_id");
	c->token = member(all, "session_token");
	if (!c->key_id.n || !printable(c->key_id) || !printable(c->token) || !is_key(c->secret))
		return fail(e, EINVAL, "credential '%s': no access_key_id and secret_access_key", c->name);
	return 0;
}

static int split_oauth(struct cred *c, struct slice all, struct err *e)
{
	c->client_id = member(all, "client_id");
	c->client_secret = member(all, "client_secret");
	c->refresh = member(all, "refresh_token");
	if (!c->client_id.n || !printable(c->client_id) || (c->client_secret.n && !is_key(c->client_secret)) ||
	    (c->provider.grant == REFRESH_CLIENT ? !c->client_secret.n : !is_key(c->refresh)))
		return fail(e, EINVAL, "credential '%s': no client_id with %s", c->name,
			    c->provider.grant == REFRESH_CLIENT ? "client_secret" : "refresh_token");
	c->access = secret_alloc(OSH_CRED_SECRET_BYTES);
	return c->access ? 0 : fail(e, ENOMEM, "credential '%s': no locked memory", c->name);
}

/* What the file holds, as the record wants it. */
static int split(struct cred *c, struct err *e)
{
	struct slice all = { c->parts, c->parts_len };

	while (all.n && strchr("\r\n", all.p[all.n - 1]) && all.p[all.n - 1])
		all.n--;
	if (c->provider.grant)
		return split_oauth(c, all, e);
	if (c->provider.placement == PLACE_SIGV4)
		return split_aws(c, all, e);
	c->secret = all;
	if (c->secret.n < SCAN_TEXT_MIN)
		return fail(e, EINVAL, "credential '%s': a secret of %zu bytes is too short to be guarded", c->name,
			    c->secret.n);
	if (!printable(c->secret))
		return fail(e, EINVAL, "credential '%s': the secret holds bytes that no header carries", c->name);
	return 0;
}

static int read_entry(struct cred *c, const struct osh_creds_entry *en, int fd, size_t size, struct err *e)
{
	_free_ char *record = NULL;
	struct err why = { 0 };
	int r;

	c->number = ++numbers;
	memcpy(c->name, en->name, sizeof(c->name));
	memcpy(c->placeholder, en->placeholder, sizeof(c->placeholder));
	if (!memchr(c->name, 0, sizeof(c->name)) || !memchr(c->placeholder, 0, sizeof(c->placeholder)) ||
	    strlen(c->placeholder) < SCAN_TEXT_MIN || en->record_len > OSH_CRED_RECORD_BYTES ||
	    en->secret_len > OSH_CRED_SECRET_BYTES || en->record > size || en->record_len > size - en->record ||
	    en->secret > size || en->secret_len > size - en->secret)
		return fail(e, EBADMSG, "credentials: malformed");
	record = malloc(en->record_len + 1u);
	c->parts_len = en->secret_len;
	c->parts = secret_alloc(c->parts_len);
	if (!record || !c->parts)
		return fail(e, ENOMEM, "credential '%s': no locked memory", c->name);
	r = read_at(fd, record, en->record_len, en->record, e);
	if (r == 0)
		r = read_at(fd, c->parts, c->parts_len, en->secret, e);
	if (r == 0 && provider_read(&c->provider, (struct slice){ record, en->record_len }, &why) < 0)
		return fail(e, EINVAL, "credential '%s': %s", c->name, why.text);
	return r < 0 ? r : split(c, e);
}

/* Everything of a credential that must not come back. */
#define SECRETS 5

static size_t secrets_of(const struct cred *c, struct slice out[SECRETS])
{
	const struct slice all[SECRETS] = { c->secret, c->token, c->client_secret, c->refresh, { c->past, c->past_len } };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		if (all[i].n >= SCAN_TEXT_MIN)
			out[n++] = all[i];
	return n;
}

static const struct cred *nth(const struct creds *c, uint32_t i)
{
	return i < c->n ? &c->cred[i] : &c->gone[i - c->n];
}

static int build_secrets(const struct creds *c, struct scanner **ret)
{
	struct slice s[SECRETS];
	uint32_t room = 0;
	int r;

	for (uint32_t i = 0; i < c->n + c->n_gone; i++)
		for (size_t k = secrets_of(nth(c, i), s); k-- > 0;)
			room += scanner_forms_size(s[k].n);
	r = scanner_new(ret, room + 1);
	for (uint32_t i = 0; r == 0 && i < c->n + c->n_gone; i++)
		for (size_t k = secrets_of(nth(c, i), s); k-- > 0;)
			scanner_add_forms(*ret, s[k], (uint16_t)(i + 1));
	return r < 0 ? r : scanner_ready(*ret);
}

int creds_scanners(struct creds *c, struct err *e)
{
	uint32_t room = 1;
	int r;

	for (uint32_t i = 0; i < c->n; i++)
		room += scanner_forms_size(strlen(c->cred[i].placeholder));
	r = scanner_new(&c->placeholders, room);
	for (uint32_t i = 0; r == 0 && i < c->n; i++)
		scanner_add_forms(c->placeholders, slice_of(c->cred[i].placeholder), (uint16_t)(i + 1));
	if (r == 0)
		r = scanner_ready(c->placeholders);
	if (r == 0)
		r = build_secrets(c, &c->secrets);
	return r < 0 ? fail(e, -r, "credentials: too long to be guarded, or no locked memory") : 0;
}

int cred_renew(struct creds *c, struct cred *of, struct slice access, struct slice refresh)
{
	struct scanner *was = c->secrets, *now = NULL;
	struct cred old = *of;
	char *room, *rest = NULL;
	int r;

	if (!is_key(access) || access.n > OSH_CRED_SECRET_BYTES || (refresh.n && !is_key(refresh)) ||
	    refresh.n > OSH_CRED_SECRET_BYTES)
		return -EINVAL;
	room = secret_alloc(OSH_CRED_SECRET_BYTES);
	if (refresh.n)
		rest = secret_alloc(OSH_CRED_SECRET_BYTES);
	if (!room || (refresh.n && !rest)) {
		secret_free(room, OSH_CRED_SECRET_BYTES);
		secret_free(rest, OSH_CRED_SECRET_BYTES);
		return -ENOMEM;
	}
	memcpy(room, access.p, access.n);
	of->past = old.access;
	of->past_len = old.secret.n;
	of->access = room;
	of->secret = (struct slice){ room, access.n };
	if (refresh.n) {
		memcpy(rest, refresh.p, refresh.n);
		of->rotated = rest;
		of->refresh = (struct slice){ rest, refresh.n };
	}
	r = build_secrets(c, &now);
	if (r < 0) {
		scanner_drop(now);
		secret_free(room, OSH_CRED_SECRET_BYTES);
		secret_free(rest, OSH_CRED_SECRET_BYTES);
		*of = old;
		return r;
	}
	c->secrets = now;
	scanner_drop(was);		/* when the answers that are being searched have ended */
	secret_free(old.past, OSH_CRED_SECRET_BYTES);
	if (refresh.n)
		secret_free(old.rotated, OSH_CRED_SECRET_BYTES);
	return 0;
}

static int read_all(struct creds *c, int fd, size_t size, struct err *e)
{
	struct osh_creds head;
	int r = read_at(fd, &head, sizeof(head), 0, e);

	if (r < 0)
		return r;
	if (head.magic != OSH_CREDS_MAGIC || !head.n || head.n > OSH_CREDS)
		return fail(e, EBADMSG, "credentials: malformed");
	for (uint32_t i = 0; i < head.n; i++) {
		struct osh_creds_entry en;

		r = read_at(fd, &en, sizeof(en), sizeof(head) + i * sizeof(en), e);
		if (r == 0) {
			c->n = i + 1;
			r = read_entry(&c->cred[i], &en, fd, size, e);
		}
		if (r < 0)
			return r;
	}
	return creds_scanners(c, e);
}

int creds_load(struct creds **ret, int fd, struct err *e)
{
	struct creds *c;
	struct stat st;
	int r;

	*ret = NULL;
	if (fstat(fd, &st) < 0)
		return fail(e, errno, "credentials: %s", strerror(errno));
	if (!st.st_size)
		return 0;
	if (st.st_size > OSH_CREDS_BYTES)
		return fail(e, E2BIG, "credentials: more than %u bytes", OSH_CREDS_BYTES);
	c = calloc(1, sizeof(*c));
	if (!c)
		return fail(e, ENOMEM, "credentials: out of memory");
	r = read_all(c, fd, (size_t)st.st_size, e);
	if (r < 0)
		creds_free(c);
	else
		*ret = c;
	return r;
}

void cred_done(struct cred *c)
{
	secret_free(c->parts, c->parts_len);
	secret_free(c->access, OSH_CRED_SECRET_BYTES);
	secret_free(c->past, OSH_CRED_SECRET_BYTES);
	secret_free(c->rotated, OSH_CRED_SECRET_BYTES);
	provider_done(&c->provider);
	*c = (struct cred){ 0 };
}

void creds_free(struct creds *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < c->n; i++)
		cred_done(&c->cred[i]);
	for (uint32_t i = 0; i < c->n_gone; i++)
		cred_done(&c->gone[i]);
	scanner_drop(c->secrets);
	scanner_drop(c->placeholders);
	free(c);
}

uint32_t creds_number(const struct creds *c, const char *name)
{
	const struct cred *found = creds_find(c, name);

	return found ? found->number : 0;
}

bool creds_has(const struct creds *c, uint32_t number)
{
	for (uint32_t i = 0; c && i < c->n; i++)
		if (c->cred[i].number == number)
			return true;
	return false;
}

struct cred *creds_get(struct creds *c, const char *name)
{
	for (uint32_t i = 0; c && i < c->n; i++)
		if (!strcmp(c->cred[i].name, name))
			return &c->cred[i];
	return NULL;
}

const struct cred *creds_find(const struct creds *c, const char *name)
{
	for (uint32_t i = 0; c && i < c->n; i++)
		if (!strcmp(c->cred[i].name, name))
			return &c->cred[i];
	return NULL;
}
