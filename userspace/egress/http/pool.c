/* SPDX-License-Identifier: Apache-2.0 */
#include "http/pool.h"

#include <stdlib.h>
#include <unistd.h>

#include "addr.h"
#include "dial.h"
#include "event.h"
#include "flow.h"

#define DIALS 64			/* at once to one host: its backlog is not endless, and places become free */

TAILQ_HEAD(pool_waits, pool_wait);

struct pool_host {
	TAILQ_ENTRY(pool_host) link;
	struct flows *fs;
	struct target target;
	bool tls, http1;
	uint32_t cred;
	bool many;			/* takes many requests a connection, it seems: dial one and wait */
	unsigned bucket;
	unsigned refs;			/* upstreams that lead here, those of the next two included */
	unsigned dialling, n;		/* being made; made and not ending */
	struct upstream_list conns;	/* those with a place first, most recently used before others */
	struct pool_waits waits;
	unsigned n_waits;
	struct timer kick;
	TAILQ_ENTRY(pool_host) hungry_link;
	bool hungry;			/* would dial, but for a limit of the whole sandbox */
};

struct attempt {			/* a connection being made */
	TAILQ_ENTRY(attempt) link;
	struct dial dial;
	struct grant *grant;		/* of who asked first: the record's program and rule */
	struct upstream *u;
	struct ip addr;
	uint16_t port;
};

void pool_init(struct pool *p)
{
	for (int i = 0; i < POOL_BUCKETS; i++)
		TAILQ_INIT(&p->hosts[i]);
	TAILQ_INIT(&p->idle);
	TAILQ_INIT(&p->attempts);
	TAILQ_INIT(&p->hungry);
}

/* ---- hosts */

static unsigned bucket_of(const struct pool_ask *q)
{
	const struct target *t = &q->grant->target;
	uint32_t h = 2166136261u ^ t->port;

	for (const char *s = t->name; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619u;
	for (size_t i = 0; t->literal && i < sizeof(t->addr.b); i++)
		h = (h ^ t->addr.b[i]) * 16777619u;
	return h % POOL_BUCKETS;
}

static bool same_host(const struct pool_host *h, const struct pool_ask *q)
{
	const struct target *a = &h->target, *b = &q->grant->target;

	return a->host == b->host && a->port == b->port && a->literal == b->literal && a->local == b->local && a->sandbox == b->sandbox &&
	       h->tls == q->tls && h->http1 == q->http1 && h->cred == q->cred &&
	       (a->literal ? !memcmp(&a->addr, &b->addr, sizeof(a->addr)) : !strcmp(a->name, b->name));
}

static void serve(struct pool_host *h);

static void on_kick(struct timer *t)
{
	serve(container_of(t, struct pool_host, kick));
}

static struct pool_host *host_get(struct flows *fs, const struct pool_ask *q)
{
	unsigned bucket = bucket_of(q);
	struct pool_host *h;

	TAILQ_FOREACH(h, &fs->pool.hosts[bucket], link)
		if (same_host(h, q))
			return h;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	*h = (struct pool_host){ .fs = fs, .target = q->grant->target, .tls = q->tls, .http1 = q->http1,
				 .cred = q->cred, .bucket = bucket, .kick.fn = on_kick };
	TAILQ_INIT(&h->conns);
	TAILQ_INIT(&h->waits);
	TAILQ_INSERT_HEAD(&fs->pool.hosts[bucket], h, link);
	return h;
}

/* Forgotten when nothing is left of it; called from the loop's own level alone. */
static void host_unuse(struct pool_host *h)
{
	if (h->refs || h->n_waits)
		return;
	if (h->hungry)
		TAILQ_REMOVE(&h->fs->pool.hungry, h, hungry_link);
	loop_disarm(h->fs->loop, &h->kick);
	TAILQ_REMOVE(&h->fs->pool.hosts[h->bucket], h, link);
	free(h);
}

/* ---- who waits */

static void wait_remove(struct pool_wait *w)
{
	TAILQ_REMOVE(&w->host->waits, w, link);
	w->host->n_waits--;
	w->host = NULL;
}

void pool_cancel(struct pool_wait *w)
{
	struct pool_host *h = w->host;

	if (!h)
		return;
	wait_remove(w);
	loop_arm(h->fs->loop, &h->kick, TIMER_NOW);	/* perhaps nothing is left of it */
}

/* The first `most` who wait hear that there is no connection. */
static void fail_waits(struct pool_host *h, unsigned most, enum osh_reason why, const char *detail)
{
	struct pool_wait *w;

	while (most-- && (w = TAILQ_FIRST(&h->waits))) {
		wait_remove(w);
		w->fn(w, NULL, why, detail);
	}
}

/* ---- connections */

static void idle_remove(struct upstream *u)
{
	if (!u->is_idle)
		return;
	u->is_idle = false;
	loop_disarm(u->fs->loop, &u->idle);
	TAILQ_REMOVE(&u->fs->pool.idle, u, idle_link);
}

static void on_idle(struct timer *t)
{
	upstream_end(container_of(t, struct upstream, idle), false);
}

static void idle_add(struct upstream *u)
{
	if (u->is_idle)
		return;
	u->is_idle = true;
	u->idle.fn = on_idle;
	loop_arm(u->fs->loop, &u->idle, TIMER_POOL);
	TAILQ_INSERT_TAIL(&u->fs->pool.idle, u, idle_link);
}

static bool usable(const struct upstream *u)
{
	return !u->ending && !u->closing && u->open < u->most;
}

static struct side *place_on(struct upstream *u)
{
	struct pool_host *h = u->host;
	struct side *s;

	u->open++;
	s = u->ops->open(u);
	if (!s) {
		u->open--;
		u->closing = true;
		if (!u->open)
			upstream_end(u, false);
		return NULL;
	}
	idle_remove(u);
	TAILQ_REMOVE(&h->conns, u, link);
	if (usable(u))
		TAILQ_INSERT_HEAD(&h->conns, u, link);
	else
		TAILQ_INSERT_TAIL(&h->conns, u, link);
	return s;
}

static struct side *place(struct pool_host *h, bool fresh)
{
	struct upstream *u, *next;
	struct side *s;

	for (u = TAILQ_FIRST(&h->conns); u; u = next) {
		next = TAILQ_NEXT(u, link);
		if (u->open >= u->most && !u->closing)
			return NULL;	/* full, and so are those behind it */
		if (usable(u) && !(fresh && u->used && u->most == 1) && (s = place_on(u)))
			return s;
	}
	return NULL;
}

static void reap(struct timer *t)
{
	struct upstream *u = container_of(t, struct upstream, idle);
	struct pool_host *h = u->host;

	if (u->state)
		u->ops->done(u);
	free(u);
	h->refs--;
	serve(h);
}

/* Freed by the loop, when nothing of it is on the stack any more. */
static void bury(struct upstream *u)
{
	u->ending = true;
	u->fs->pool.n--;
	u->idle.fn = reap;
	loop_arm(u->fs->loop, &u->idle, TIMER_NOW);
}

void upstream_end(struct upstream *u, bool hard)
{
	if (u->ending)
		return;
	idle_remove(u);
	TAILQ_REMOVE(&u->host->conns, u, link);
	u->host->n--;
	stream_close(&u->stream, hard);
	bury(u);
}

void upstream_free_slot(struct upstream *u)
{
	u->open--;
	u->used = true;
	if (u->ending)
		return;
	if (u->closing && !u->open) {
		upstream_end(u, false);
		return;
	}
	if (!u->open)
		idle_add(u);
	TAILQ_REMOVE(&u->host->conns, u, link);
	TAILQ_INSERT_HEAD(&u->host->conns, u, link);
	if (u->host->n_waits)
		loop_arm(u->fs->loop, &u->host->kick, TIMER_NOW);
}

/* ---- making one */

#define NOWHERE UINT32_MAX		/* no host's number: the policy does not lead there any more */

/* Host numbers are a policy's own; 0 is where we go ourselves, whatever the policy. */
static bool leads_to(const struct pool_host *h, const struct upstream *u, const struct bundle *b)
{
	if (!h->target.host)
		return true;
	if (h->target.host == NOWHERE || (u->proxied && addr_restricted(b, h->target.host, h->target.port)))
		return false;
	return u->listed || addr_judge(b, h->target.host, h->target.port, &u->addr) == OSH_WHY_ALLOWED;
}

static void on_ready(struct stream *s, uint32_t events)
{
	struct upstream *u = container_of(s, struct upstream, stream);

	if (!u->ending && u->ops)
		u->ops->ready(u, events);
}

static void finish(struct upstream *u)
{
	u->host->dialling--;
	TAILQ_REMOVE(&u->fs->pool.attempts, u->attempt, link);
	dial_end(&u->attempt->dial, true);
	grant_put(u->attempt->grant);
	free(u->attempt);
	u->attempt = NULL;
}

static bool record(struct upstream *u, enum osh_reason why, const char *detail)
{
	struct attempt *a = u->attempt;
	bool good = why == OSH_WHY_ALLOWED;
	struct osh_event_named ev = event_of(a->grant, good ? OSH_ALLOW : OSH_DENY, why,
					     &a->addr, a->port);
	struct osh_http more = { 0 };

	if (good)
		return records_put(&u->fs->records, &ev);
	snprintf(more.detail, sizeof(more.detail), "%s", detail);
	return records_put_http(&u->fs->records, &ev, &more);
}

static void failed(struct upstream *u, enum osh_reason why, const char *detail)
{
	struct pool_host *h = u->host;

	(void)record(u, why, detail);
	stream_close(&u->stream, true);
	finish(u);
	bury(u);
	fail_waits(h, h->n || h->dialling ? 1 : h->n_waits, why, detail);
}

static void made(struct upstream *u, enum tls_alpn alpn)
{
	struct pool_host *h = u->host;

	loop_disarm(u->fs->loop, &u->idle);
	if (!leads_to(h, u, &u->fs->policies.now->bundle)) {
		failed(u, OSH_WHY_ADDR_NOT_LISTED, "");	/* the policy has changed on the way */
		return;
	}
	if ((alpn == ALPN_H2 ? h2_upstream_start(u) : h1_upstream_start(u)) < 0) {
		failed(u, OSH_WHY_INTERNAL, "out of memory");
		return;
	}
	if (!record(u, OSH_WHY_ALLOWED, "")) {
		finish(u);
		stream_close(&u->stream, true);
		bury(u);
		return;			/* audit is gone, and so is this process in a moment */
	}
	finish(u);
	h->many = u->most > 1;
	h->n++;
	TAILQ_INSERT_HEAD(&h->conns, u, link);
	idle_add(u);
	serve(h);
}

static void on_shaken(struct stream *s, const struct tls_result *r)
{
	struct upstream *u = container_of(s, struct upstream, stream);

	if (r->why == OSH_WHY_ALLOWED)
		made(u, r->alpn);
	else
		failed(u, r->why, r->detail);
}

static void on_shake_timer(struct timer *t)
{
	failed(container_of(t, struct upstream, idle), OSH_WHY_TLS_UPSTREAM, "no end of the handshake in time");
}

static void on_dialled(struct dial *d, enum osh_reason why)
{
	struct attempt *a = container_of(d, struct attempt, dial);
	struct upstream *u = a->u;
	char name[OSH_NAME_MAX], said[sizeof(d->said)];
	int fd;

	a->addr = dial_addr(d, &a->port);
	if (why != OSH_WHY_ALLOWED) {
		memcpy(said, d->said, sizeof(said));	/* the attempt is freed before all have read it */
		failed(u, why, said);
		return;
	}
	u->addr = a->addr;
	u->proxied = d->proxied;
	u->listed = d->listed && !a->grant->target.literal;
	fd = dial_take(d);
	if (stream_open(&u->stream, u->fs->loop, fd, on_ready) < 0) {
		close(fd);
		failed(u, OSH_WHY_INTERNAL, "out of kernel memory");
		return;
	}
	if (!u->host->tls) {
		made(u, ALPN_HTTP1);
		return;
	}
	u->idle.fn = on_shake_timer;
	loop_arm(u->fs->loop, &u->idle, TIMER_HELLO);
	target_text(&a->grant->target, name);
	tls_connect(u->fs->tls, &u->stream, name, !u->host->http1, on_shaken);
}

/* Is there room for one more? Then it is taken: a record's, and the place of whoever was idle longest. */
static bool make_room(struct flows *fs)
{
	struct upstream *u = TAILQ_FIRST(&fs->pool.idle);

	if ((fs->pool.n >= POOL_CONNS && !u) || !records_reserve_last(&fs->records))
		return false;
	if (fs->pool.n >= POOL_CONNS)
		upstream_end(u, false);
	return true;
}

static void start(struct pool_host *h)
{
	struct upstream *u = calloc(1, sizeof(*u));
	struct attempt *a = calloc(1, sizeof(*a));

	if (!u || !a) {
		free(u);
		free(a);
		records_release(&h->fs->records);
		fail_waits(h, h->n || h->dialling ? 1 : h->n_waits, OSH_WHY_INTERNAL, "out of memory");
		return;
	}
	*u = (struct upstream){ .fs = h->fs, .host = h, .attempt = a, .stream.w.fd = -1 };
	*a = (struct attempt){ .u = u, .grant = grant_ref(TAILQ_FIRST(&h->waits)->grant), .dial.done = on_dialled };
	TAILQ_INSERT_TAIL(&h->fs->pool.attempts, a, link);
	h->refs++;
	h->dialling++;
	h->fs->pool.n++;
	dial_start(&a->dial, h->fs, a->grant);
}

static bool wants_more(const struct pool_host *h)
{
	return h->dialling < h->n_waits && h->dialling < DIALS && !(h->many && h->dialling);
}

/* As many as are wanted, and as there is room for; who finds none comes again in a later round. */
static void start_all(struct pool_host *h)
{
	while (wants_more(h) && make_room(h->fs))
		start(h);
	if (wants_more(h) && !h->hungry)
		TAILQ_INSERT_TAIL(&h->fs->pool.hungry, h, hungry_link);
	h->hungry |= wants_more(h);
}

void pool_resume(struct flows *fs)
{
	struct pool_host *h;

	while ((h = TAILQ_FIRST(&fs->pool.hungry)) && (fs->pool.n < POOL_CONNS || !TAILQ_EMPTY(&fs->pool.idle)) &&
	       records_reserve_last(&fs->records)) {
		records_release(&fs->records);
		TAILQ_REMOVE(&fs->pool.hungry, h, hungry_link);
		h->hungry = false;
		serve(h);
	}
}

static void serve(struct pool_host *h)
{
	struct pool_wait *w;
	struct side *s;

	h->refs++;
	while ((w = TAILQ_FIRST(&h->waits)) && (s = place(h, w->fresh))) {
		wait_remove(w);
		w->fn(w, s, OSH_WHY_ALLOWED, "");
	}
	start_all(h);
	h->refs--;
	host_unuse(h);
}

void pool_get(struct flows *fs, const struct pool_ask *q, struct pool_wait *w)
{
	struct pool_host *h = host_get(fs, q);
	struct side *s = NULL;

	w->host = NULL;
	if (!h) {
		w->fn(w, NULL, OSH_WHY_INTERNAL, "out of memory");
		return;
	}
	if (!h->n_waits && (s = place(h, q->fresh))) {
		w->fn(w, s, OSH_WHY_ALLOWED, "");
		return;
	}
	w->grant = q->grant;
	w->fresh = q->fresh;
	w->host = h;
	TAILQ_INSERT_TAIL(&h->waits, w, link);
	h->n_waits++;
	start_all(h);
	if (!h->refs)
		loop_arm(fs->loop, &h->kick, TIMER_NOW);
}

/* ---- another policy is in force */

static void host_again(struct pool_host *h, const struct generation *p)
{
	struct upstream *u, *next;

	if (h->target.host) {
		uint32_t host = table_host(&p->table, &h->target);

		h->target.host = host ? host : NOWHERE;
	}
	for (u = TAILQ_FIRST(&h->conns); u; u = next) {
		next = TAILQ_NEXT(u, link);
		if (leads_to(h, u, &p->bundle))
			continue;
		u->closing = true;
		if (!u->open)
			upstream_end(u, false);
	}
}

/* Who waits was judged again before; a connection that nobody waits for is not made to the end. */
static void attempt_again(struct attempt *a, struct generation *p)
{
	struct pool_wait *w = TAILQ_FIRST(&a->u->host->waits);
	enum osh_reason why;

	if (!w || w->grant->policy != p) {
		failed(a->u, OSH_WHY_REVOKED, "");
		return;
	}
	grant_move(&a->grant, w->grant);
	why = dial_again(&a->dial, a->grant);
	if (why != OSH_WHY_ALLOWED)
		failed(a->u, why, "");
}

void pool_again(struct flows *fs)
{
	struct pool_host *h;

	for (int i = 0; i < POOL_BUCKETS; i++)
		TAILQ_FOREACH(h, &fs->pool.hosts[i], link)
			host_again(h, fs->policies.now);
}

void pool_dials_again(struct flows *fs)
{
	struct generation *p = fs->policies.now;
	struct attempt *a, *next;

	for (a = TAILQ_FIRST(&fs->pool.attempts); a; a = next) {
		next = TAILQ_NEXT(a, link);
		if (a->grant->policy != p)
			attempt_again(a, p);
	}
}
