/* SPDX-License-Identifier: Apache-2.0 */
/* The credential of one request: away with what the sandbox sent, no placeholder elsewhere, then the real one. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cred/set.h"
#include "cred/sigv4.h"
#include "hash.h"
#include "http/chars.h"
#include "own.h"
#include "rules/pattern.h"
#include "secret.h"

#define SIGNED_BODY (10u << 20)		/* most of a body that is signed */
#define REPLACED_BODY (256u << 10)	/* most of a body that a secret is put into */

/* "*.example.com" is one label more, as in a policy. */
static bool host_covers(const char *pattern, const char *host)
{
	const char *dot;

	if (strncmp(pattern, "*.", 2))
		return !strcasecmp(pattern, host);
	dot = strchr(host, '.');
	return dot && dot != host && !strcasecmp(dot, pattern + 1);
}

bool creds_near(const struct creds *cs, const char *host)
{
	for (uint32_t i = 0; cs && i < cs->n; i++)
		if (cred_host(&cs->cred[i], host))
			return true;
	for (uint32_t i = 0; cs && i < cs->n_gone; i++)
		if (cred_host(&cs->gone[i], host))
			return true;
	return false;
}

bool cred_host(const struct cred *c, const char *host)
{
	for (size_t i = 0; c->provider.hosts[i]; i++)
		if (host_covers(c->provider.hosts[i], host))
			return true;
	return false;
}

static bool any_port(const struct provider *p, uint16_t port)
{
	for (unsigned i = 0; i < p->n_ports; i++)
		if (p->ports[i] == port)
			return true;
	return false;
}

static bool any_method(const struct provider *p, const char *method)
{
	for (size_t i = 0; p->methods[i]; i++)
		if (!strcmp(p->methods[i], method))
			return true;
	return !p->methods[0];
}

static bool any_path(const struct provider *p, const char *path)
{
	for (size_t i = 0; p->paths[i]; i++)
		if (text_meets(p->paths[i], slice_of(path), '/'))
			return true;
	return !p->paths[0];
}

bool cred_covers(const struct cred *c, const struct cred_ask *q)
{
	const struct provider *p = &c->provider;

	return cred_host(c, q->host) && any_port(p, q->port) && any_method(p, q->method) && any_path(p, q->path);
}

/* What a request is signed for: by the policy, by the record, or by the host. "" where none says it. */
static const char *service_of(const struct cred *c, const struct cred_ask *q, char room[32])
{
	const char *said = q->service ? q->service : c->provider.name;

	if (strcmp(said, PROVIDER_SERVICE_AUTO) != 0)
		return said;
	return sigv4_service(q->host, room) ? room : "";
}

static bool body_signed(const struct cred *c, const struct cred_ask *q)
{
	char service[32] = "";

	if (c->provider.placement != PLACE_SIGV4)
		return false;
	if (!q->signing && !c->provider.sign_said && service_of(c, q, service) == service && !strcmp(service, "s3"))
		return false;		/* as in a record that names it */
	return q->signing ? q->signing == CRED_SIGN_BODY : c->provider.sign_body;
}

static bool into_body(const struct cred *c, const struct cred_ask *q)
{
	return c->provider.placement == PLACE_BODY || q->rewrite_body;
}

size_t creds_wants_body(const struct creds *cs, const struct cred_ask *q)
{
	const struct cred *c = q->credential ? creds_find(cs, q->credential) : NULL;

	if (c && body_signed(c, q))
		return SIGNED_BODY;
	return c && into_body(c, q) ? REPLACED_BODY : 0;
}

static bool holds(struct scanner *set, struct slice text)
{
	struct scan scan;
	uint64_t held;
	uint16_t tag;

	if (!text.n)
		return false;
	if (scan_start(&scan, set) < 0)
		return true;
	tag = scan_feed(&scan, text, &held);
	scan_done(&scan);
	return tag;
}

/* One pass over all of it; "\1" between two, so that none begins in one and ends in another. */
static bool head_holds(struct scanner *set, const struct head *h, struct slice target)
{
	struct scan scan;
	uint64_t held;
	bool found;

	if (scan_start(&scan, set) < 0)
		return true;
	found = scan_feed(&scan, target, &held);
	for (uint32_t i = 0; i < h->n_fields && !found; i++)
		found = scan_feed(&scan, SLICE("\1"), &held) || scan_feed(&scan, head_name(h, &h->fields[i]), &held) ||
			scan_feed(&scan, SLICE("\1"), &held) || scan_feed(&scan, head_value(h, &h->fields[i]), &held);
	scan_done(&scan);
	return found;
}

bool creds_said(const struct creds *c, const struct head *h)
{
	return c && head_holds(c->secrets, h, SLICE(""));
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* Is the escaped key of a query parameter this name? */
static bool key_is(struct slice key, const char *name)
{
	for (size_t i = 0; i < key.n; i++, name++) {
		unsigned char c = (unsigned char)key.p[i];

		if (c == '+') {
			c = ' ';
		} else if (c == '%' && i + 2 < key.n && hex_digit(key.p[i + 1]) >= 0 && hex_digit(key.p[i + 2]) >= 0) {
			c = (unsigned char)(hex_digit(key.p[i + 1]) << 4 | hex_digit(key.p[i + 2]));
			i += 2;
		}
		if (!c || c != (unsigned char)*name)
			return false;
	}
	return !*name;
}

/* The query without every parameter of that name. */
static void query_without(struct buf *out, struct slice query, const char *name)
{
	while (query.n) {
		const char *amp = memchr(query.p, '&', query.n);
		size_t n = amp ? (size_t)(amp - query.p) : query.n;
		const char *eq = memchr(query.p, '=', n);

		if (n && !key_is((struct slice){ query.p, eq ? (size_t)(eq - query.p) : n }, name)) {
			if (out->n)
				buf_put(out, "&", 1);
			buf_put(out, query.p, n);
		}
		n += amp != NULL;
		query.p += n;
		query.n -= n;
	}
}

static void put_escaped(struct buf *b, struct slice s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] && strchr(plain, s.p[i]))
			buf_put(b, &s.p[i], 1);
		else
			buf_printf(b, "%%%02X", (unsigned char)s.p[i]);
}

/* `text` with every placeholder of this credential replaced (escaped for a URL where `url`). */
static bool replace(struct buf *out, struct slice text, const struct cred *c, struct slice with, bool url)
{
	size_t n = strlen(c->placeholder);
	bool any = false;

	for (;;) {
		const char *at = memmem(text.p, text.n, c->placeholder, n);
		size_t before = at ? (size_t)(at - text.p) : text.n;

		buf_put(out, text.p, before);
		if (!at)
			return any;
		any = true;
		if (url)
			put_escaped(out, with);
		else
			buf_put(out, with.p, with.n);
		text.p += before + n;
		text.n -= before + n;
	}
}

static void wipe(struct buf *b)
{
	if (b->p)
		secret_wipe(b->p, b->cap);
	buf_done(b);
}

struct work {
	const struct creds *set;
	const struct cred *c;		/* NULL = a request without credential */
	const struct cred_ask *q;
	struct head *h;
	struct buf *body;
	bool *body_changed;
};

static bool target_set(const struct work *w, struct slice path, struct slice query)
{
	struct buf b = { 0 };
	bool ok;

	buf_put(&b, path.p, path.n);
	if (query.n) {
		buf_put(&b, "?", 1);
		buf_put(&b, query.p, query.n);
	}
	w->h->target = buf_ok(&b) && b.n <= TARGET_BYTES ? head_text(w->h, (struct slice){ b.p, b.n }) : 0;
	ok = w->h->target != 0;
	wipe(&b);
	return ok;
}

/* Many servers hand on `_` and `-` in a name as one and the same: another key beside ours could be the one that counts. */
static void drop_alike(struct head *h, const char *name)
{
	size_t len = strlen(name);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < h->n_fields; i++) {
		struct slice s = head_name(h, &h->fields[i]);
		size_t k = 0;

		while (s.n == len && k < len && (s.p[k] == '_' ? '-' : s.p[k]) ==
						(name[k] == '_' ? '-' : chars_lower(name[k])))
			k++;
		if (s.n != len || k < len)
			h->fields[kept++] = h->fields[i];
	}
	h->n_fields = kept;
}

/* What the sandbox sent in the credential's place, off the head; the rest is searched for placeholders. */
static enum osh_reason strip(const struct work *w)
{
	const struct cred *c = w->c;
	struct buf target = { 0 }, body = { 0 };
	struct slice text;
	bool bad;

	if (c && c->provider.placement == PLACE_HEADER)
		drop_alike(w->h, c->provider.name);
	if (c && (c->provider.placement == PLACE_BASIC || c->provider.placement == PLACE_SIGV4))
		head_drop(w->h, "authorization");
	if (c && c->provider.placement == PLACE_SIGV4)
		head_drop(w->h, "x-amz-security-token");
	if (c && c->provider.placement == PLACE_PATH)
		(void)replace(&target, slice_of(w->q->path), c, SLICE(""), true);
	else
		buf_str(&target, w->q->path);
	buf_put(&target, "?", 1);
	if (c && c->provider.placement == PLACE_QUERY) {
		size_t from = target.n;
		struct buf kept = { 0 };

		query_without(&kept, w->q->query, c->provider.name);
		buf_put(&target, kept.p, kept.n);
		bad = !buf_ok(&kept) || !target_set(w, slice_of(w->q->path), (struct slice){ kept.p, kept.n });
		buf_done(&kept);
		if (bad || from > target.n) {
			buf_done(&target);
			return OSH_WHY_LIMIT;
		}
	} else {
		buf_put(&target, w->q->query.p, w->q->query.n);
	}
	text = w->q->body;
	if (c && into_body(c, w->q)) {
		(void)replace(&body, text, c, SLICE(""), false);
		text = (struct slice){ body.p, body.n };
	}
	bad = !buf_ok(&target) || !buf_ok(&body) ||
	      head_holds(w->set->placeholders, w->h, (struct slice){ target.p, target.n }) ||
	      holds(w->set->placeholders, text);
	buf_done(&target);
	buf_done(&body);
	return bad ? OSH_WHY_PLACEHOLDER : OSH_WHY_ALLOWED;
}

static bool put_header(const struct work *w)
{
	const struct provider *p = &w->c->provider;
	struct buf b = { 0 };
	bool ok;

	buf_str(&b, p->prefix ? p->prefix : "");
	buf_put(&b, w->c->secret.p, w->c->secret.n);
	ok = buf_ok(&b) && head_set(w->h, p->name, (struct slice){ b.p, b.n });
	wipe(&b);
	return ok;
}

static bool put_basic(const struct work *w)
{
	struct buf plain = { 0 }, b = { 0 };
	bool ok = false;
	int n;

	buf_printf(&plain, "%s:", w->c->provider.name);
	buf_put(&plain, w->c->secret.p, w->c->secret.n);
	buf_str(&b, "Basic ");
	if (buf_ok(&plain) && buf_space(&b, (plain.n + 2) / 3 * 4 + 1)) {
		n = EVP_EncodeBlock((unsigned char *)b.p + 6, (unsigned char *)plain.p, (int)plain.n);
		ok = head_set(w->h, "authorization", (struct slice){ b.p, 6 + (size_t)n });
	}
	wipe(&plain);
	wipe(&b);
	return ok;
}

static bool put_query(const struct work *w)
{
	struct buf b = { 0 };
	bool ok;

	query_without(&b, w->q->query, w->c->provider.name);
	if (b.n)
		buf_put(&b, "&", 1);
	put_escaped(&b, slice_of(w->c->provider.name));
	buf_put(&b, "=", 1);
	put_escaped(&b, w->c->secret);
	ok = buf_ok(&b) && target_set(w, slice_of(w->q->path), (struct slice){ b.p, b.n });
	wipe(&b);
	return ok;
}

static bool put_path(const struct work *w)
{
	struct buf b = { 0 };
	bool ok = true;

	if (replace(&b, slice_of(w->q->path), w->c, w->c->secret, true))
		ok = target_set(w, (struct slice){ b.p, b.n }, w->q->query);
	ok = ok && buf_ok(&b);
	wipe(&b);
	return ok;
}

static bool put_body(const struct work *w)
{
	w->body->limit = 2 * REPLACED_BODY;	/* a short placeholder and a long secret: it grows */
	*w->body_changed = replace(w->body, w->q->body, w->c, w->c->secret, false);
	return buf_ok(w->body);
}

static bool put_signature(const struct work *w)
{
	const struct provider *p = &w->c->provider;
	char service[32];
	struct sigv4 s = { .key_id = w->c->key_id, .secret = w->c->secret, .token = w->c->token,
			   .service = service_of(w->c, w->q, service),
			   .region = w->q->region ? w->q->region : p->region, .now = time(NULL) };
	char region[32];

	if (!*s.service)
		return false;
	sigv4_region(w->q->host, region);
	if (!s.region)
		s.region = region;
	s.has_body_hash = body_signed(w->c, w->q);
	if (s.has_body_hash && hash_bytes(w->q->body.p ? w->q->body.p : "", w->q->body.n, s.body_hash) < 0)
		return false;
	return sigv4_sign(&s, w->h, w->q->path, w->q->query) == 0;
}

static bool insert(const struct work *w)
{
	static bool (*const put[])(const struct work *) = {
		[PLACE_HEADER] = put_header, [PLACE_BASIC] = put_basic, [PLACE_QUERY] = put_query,
		[PLACE_PATH] = put_path,     [PLACE_BODY] = put_body,	[PLACE_SIGV4] = put_signature,
	};

	w->h->secret = true;
	if (w->q->rewrite_body && w->c->provider.placement != PLACE_BODY && !put_body(w))
		return false;
	return put[w->c->provider.placement](w);
}

enum osh_reason creds_apply(const struct creds *cs, const struct cred_ask *q, struct head *h, struct buf *body,
			    bool *body_changed, const char **detail)
{
	struct cred_ask own = *q;
	struct work w = { .set = cs, .q = &own, .h = h, .body = body, .body_changed = body_changed };
	_free_ char *query = NULL;
	enum osh_reason why;

	*body_changed = false;
	*detail = "";
	if (!cs && !q->credential)
		return OSH_WHY_ALLOWED;
	if (q->credential) {
		w.c = creds_find(cs, q->credential);
		*detail = !w.c ? "the sandbox was started without this provider" :
			  !q->tls ? "a credential goes over verified TLS alone" :
			  !cred_covers(w.c, q) ? "the provider's record does not cover this request" : "";
		if (**detail)
			return OSH_WHY_CREDENTIAL;
	}
	if (q->query.n) {		/* it may lie in the head's text, which moves when the head grows */
		query = malloc(q->query.n);
		if (!query)
			return OSH_WHY_INTERNAL;
		memcpy(query, q->query.p, q->query.n);
		own.query.p = query;
	}
	why = strip(&w);
	if (why != OSH_WHY_ALLOWED) {
		*detail = why == OSH_WHY_PLACEHOLDER ? "a placeholder stands where its provider does not put the credential" : "";
		return why;
	}
	/* An answer in another coding or charset could say the secret unseen, also to a request that had none. */
	if (w.c || creds_near(cs, q->host)) {
		head_drop(h, "sec-websocket-extensions");
		head_drop(h, "accept-charset");
		head_drop(h, "a-im");
		if (!head_set(h, "accept-encoding", SLICE("identity")))
			why = OSH_WHY_LIMIT;
	}
	if (why == OSH_WHY_ALLOWED && w.c && !insert(&w))
		why = OSH_WHY_LIMIT;
	if (why != OSH_WHY_ALLOWED) {
		*detail = "the request grew too long";
		return OSH_WHY_LIMIT;
	}
	return OSH_WHY_ALLOWED;
}
