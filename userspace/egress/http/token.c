/* SPDX-License-Identifier: Apache-2.0 */
#include "http/token.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <strings.h>

#include "cred/set.h"
#include "flow.h"
#include "hosts.h"
#include "secret.h"

#define ANSWER_MOST 16384		/* bytes of a token answer */
#define FAILED_REST_MS 5000		/* no new try after a failure */
#define GOOD_DEFAULT_S 3600		/* where the answer does not say */
#define GOOD_MOST_S 86400
#define GOOD_LEAST_MS 500		/* those that wait for it can use it, whatever the answer says */

/* One request for a token: an exchange whose client is us. */
struct job {
	struct side side;
	struct conn conn;		/* has no stream: only what an exchange looks at */
	struct flows *fs;
	char name[OSH_CRED_NAME];	/* of the credential, and which of that name: sets change meanwhile */
	uint32_t number;
	struct timer timer;		/* an endpoint that says nothing does not hold up its requests for an hour */
	uint16_t status;
	size_t n;
	char *body;			/* locked memory, ANSWER_MOST */
};

static void forget(struct job *j)
{
	loop_disarm(j->fs->loop, &j->timer);
	secret_free(j->body, ANSWER_MOST);
	grant_put(j->conn.grant);
	free(j);
}

/* NULL where the sandbox has it no more, or another secret under its name. */
static struct cred *cred_of(const struct job *j)
{
	struct cred *c = creds_get(j->fs->creds, j->name);

	return c && c->number == j->number ? c : NULL;
}

static unsigned seconds(struct slice json)
{
	const char *p = memmem(json.p, json.n, "\"expires_in\"", 12), *end = json.p + json.n;
	unsigned v = 0;

	if (!p)
		return GOOD_DEFAULT_S;
	for (p += 12; p < end && (*p == ' ' || *p == ':' || *p == '"'); p++)
		;
	for (; p < end && *p >= '0' && *p <= '9' && v < GOOD_MOST_S; p++)
		v = v * 10 + (unsigned)(*p - '0');
	return v < GOOD_MOST_S ? v : GOOD_MOST_S;
}

static bool took(struct job *j, struct cred *c)
{
	struct slice json = { j->body, j->n };
	uint64_t good = 1000ull * seconds(json), before = 1000ull * c->provider.before_s;

	if (j->status != 200 || cred_renew(j->fs->creds, c, member(json, "access_token"),
					   member(json, "refresh_token")) < 0)
		return false;
	/* A token of a minute that is renewed a minute before is used for half of its life. */
	good = good > 2 * before ? good - before : good / 2;
	c->good_until_ms = j->fs->loop->now_ms + (good > GOOD_LEAST_MS ? good : GOOD_LEAST_MS);
	return true;
}

/* The exchange is over; whoever waits is judged again and finds a token, or the failure. */
static void finish(struct job *j, bool whole)
{
	struct flows *fs = j->fs;
	struct cred *c = cred_of(j);

	if (c) {
		c->asked = false;
		c->failed_ms = whole && took(j, c) ? 0 : fs->loop->now_ms;
	}
	forget(j);
	loop_arm(fs->loop, &fs->token_timer, TIMER_NOW);	/* not from inside of a judgement */
}

static void on_head(struct side *s, const struct head *h, bool end)
{
	struct job *j = container_of(s, struct job, side);

	if (h->status < 200)
		return;
	j->status = h->status;
	if (end)
		finish(j, true);
}

static size_t on_body(struct side *s, struct slice bytes)
{
	struct job *j = container_of(s, struct job, side);

	if (bytes.n > ANSWER_MOST - j->n) {
		j->status = 0;		/* too long to be one: what follows is passed over */
		return bytes.n;
	}
	memcpy(j->body + j->n, bytes.p, bytes.n);
	j->n += bytes.n;
	return bytes.n;
}

static void on_end(struct side *s, const struct head *trailers)
{
	(void)trailers;
	finish(container_of(s, struct job, side), true);
}

static void on_resume(struct side *s)
{
	(void)s;			/* the whole request was handed over at once */
}

static void on_abort(struct side *s, enum gone why)
{
	(void)why;
	finish(container_of(s, struct job, side), false);
}

static void on_timer(struct timer *t)
{
	struct job *j = container_of(t, struct job, timer);

	if (j->side.x)
		exchange_cut(j->side.x, GONE_TIMEOUT);	/* on_abort() forgets the job */
}

static const struct side_ops ops = { on_head, on_body, on_end, on_resume, on_abort };

static void put_form(struct buf *b, const char *key, struct slice value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~";

	buf_printf(b, "%s%s=", b->n ? "&" : "", key);
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] && strchr(plain, value.p[i]))
			buf_put(b, &value.p[i], 1);
		else
			buf_printf(b, "%%%02X", (unsigned char)value.p[i]);
}

static void wipe(struct buf *b)
{
	if (b->p)
		secret_wipe(b->p, b->cap);
	buf_done(b);
}

static bool add_basic(struct head *h, const struct cred *c)
{
	struct buf plain = { 0 }, b = { 0 };
	bool ok = false;
	int n;

	put_form(&plain, "", c->client_id);	/* "=id": RFC 6749 2.3.1 wants both form-encoded */
	buf_put(&plain, ":", 1);
	for (struct slice s = c->client_secret; s.n; s.p++, s.n--)
		if ((*s.p | 32) >= 'a' && (*s.p | 32) <= 'z')
			buf_put(&plain, s.p, 1);
		else if ((*s.p >= '0' && *s.p <= '9') || strchr("-_.~", *s.p))
			buf_put(&plain, s.p, 1);
		else
			buf_printf(&plain, "%%%02X", (unsigned char)*s.p);
	buf_str(&b, "Basic ");
	if (buf_ok(&plain) && buf_space(&b, (plain.n + 2) / 3 * 4 + 1)) {
		n = EVP_EncodeBlock((unsigned char *)b.p + 6, (unsigned char *)plain.p + 1, (int)plain.n - 1);
		ok = head_set(h, "authorization", (struct slice){ b.p, 6 + (size_t)n });
	}
	wipe(&plain);
	wipe(&b);
	return ok;
}

/* https://host[:port]/path: the length of host and port. */
static size_t authority_len(const char *url)
{
	return strcspn(url, "/");
}

/* Where to dial. No rule of the policy is about it, and no allowed_ips: it must be a public address. */
static bool address(const struct cred *c, struct target *t)
{
	const char *url = c->provider.token_url + 8;
	size_t n = authority_len(url);
	const char *colon = memchr(url, ':', n);
	unsigned long port = colon ? strtoul(colon + 1, NULL, 10) : 443;

	*t = (struct target){ .port = (uint16_t)port };
	return port > 0 && port < 65536 && hosts_name((struct slice){ url, colon ? (size_t)(colon - url) : n }, t->name);
}

static bool head_of(const struct cred *c, struct head *h)
{
	const char *url = c->provider.token_url + 8;
	size_t n = authority_len(url);

	h->method = head_text(h, SLICE("POST"));
	h->scheme = head_text(h, SLICE("https"));
	h->authority = head_text(h, (struct slice){ url, n });
	h->target = head_text(h, url[n] ? slice_of(url + n) : SLICE("/"));
	h->version = 11;
	return !h->too_big;
}

static bool fill(const struct cred *c, struct exchange *x)
{
	struct buf form = { 0 };
	char length[24];
	bool ok = head_of(c, &x->head);

	put_form(&form, "grant_type", slice_of(c->provider.grant == REFRESH_TOKEN ? "refresh_token" : "client_credentials"));
	if (c->provider.grant == REFRESH_TOKEN)
		put_form(&form, "refresh_token", c->refresh);
	if (c->provider.scope)
		put_form(&form, "scope", slice_of(c->provider.scope));
	if (c->provider.post_client || !c->client_secret.n)
		put_form(&form, "client_id", c->client_id);
	if (c->provider.post_client && c->client_secret.n)
		put_form(&form, "client_secret", c->client_secret);
	x->head.secret = true;
	snprintf(length, sizeof(length), "%zu", form.n);
	ok = ok && head_add(&x->head, SLICE("content-type"), SLICE("application/x-www-form-urlencoded")) &&
	     head_add(&x->head, SLICE("accept"), SLICE("application/json")) &&
	     head_add(&x->head, SLICE("content-length"), slice_of(length)) &&
	     (c->provider.post_client || !c->client_secret.n || add_basic(&x->head, c));
	exchange_held_add(x, (struct slice){ form.p, form.n });
	ok = ok && buf_ok(&form) && buf_ok(&x->held);
	wipe(&form);
	return ok;
}

static bool ask(struct flows *fs, struct cred *c)
{
	struct job *j = calloc(1, sizeof(*j));
	struct exchange *x;
	struct target t;

	if (!j || !address(c, &t)) {
		free(j);
		return false;
	}
	*j = (struct job){ .side.ops = &ops, .fs = fs, .number = c->number, .body = secret_alloc(ANSWER_MOST) };
	memcpy(j->name, c->name, sizeof(j->name));
	j->conn.fs = fs;
	j->conn.tls = true;
	j->conn.grant = grant_own(generation_now(&fs->policies), &t);
	x = j->body && j->conn.grant ? exchange_new(&j->conn, &j->side) : NULL;
	if (!x) {
		forget(j);
		return false;
	}
	c->asked = true;
	j->timer.fn = on_timer;
	loop_arm(fs->loop, &j->timer, TIMER_HEAD);
	x->client_ended = true;
	x->shown = 0;
	if (!fill(c, x)) {
		exchange_cut(x, GONE_RESET);	/* on_abort() forgets the job */
		return true;
	}
	exchange_open(x);
	return true;
}

bool token_current(const struct exchange *x)
{
	return cred_of(container_of(x->c, struct job, conn)) != NULL;
}

bool token_wanted(const struct exchange *x, const struct bundle *b)
{
	const struct job *j = container_of(x->c, struct job, conn);

	for (uint32_t i = 0; bundle_provider(b, i); i++)
		if (!strcmp(bundle_provider(b, i), j->name))
			return true;
	return false;
}

enum token_state token_need(struct flows *fs, const char *credential)
{
	struct cred *c = creds_get(fs->creds, credential);

	if (!c || !c->provider.grant || c->good_until_ms > fs->loop->now_ms)
		return TOKEN_READY;
	if (c->asked)
		return TOKEN_WAIT;
	if (c->failed_ms && fs->loop->now_ms - c->failed_ms < FAILED_REST_MS)
		return TOKEN_FAILED;
	if (!ask(fs, c))
		return TOKEN_FAILED;
	/* It may have ended at once. */
	return c->asked ? TOKEN_WAIT : c->good_until_ms > fs->loop->now_ms ? TOKEN_READY : TOKEN_FAILED;
}
