/* SPDX-License-Identifier: Apache-2.0 */
#include "http/conn.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "event.h"
#include "flow.h"
#include "hosts.h"
#include "http/deny.h"
#include "http/exchange_parts.h"
#include "rules/rules.h"
#include "text.h"

#define PEEK 17408			/* one TLS record and its header: as far as a ClientHello is read */

static void reap(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);

	if (c->state)
		c->ops->done(c);
	grant_put(c->grant);
	free(c);
}

void conn_end(struct conn *c, bool hard)
{
	struct flows *fs = c->fs;

	if (c->ending)
		return;
	c->ending = true;
	if (c->reserved)
		records_release(&fs->records);
	c->reserved = false;
	stream_close(&c->client, hard);
	TAILQ_REMOVE(&fs->conns, c, link);
	fs->n--;
	c->timer.fn = reap;
	loop_arm(fs->loop, &c->timer, TIMER_NOW);
}

bool conn_make_room(struct flows *fs)
{
	struct conn *c;

	TAILQ_FOREACH(c, &fs->conns, link) {
		if (!c->state || c->exchanges)
			continue;
		conn_end(c, false);
		return true;
	}
	return false;
}

/* Before there is a protocol: the connection itself is denied, with the record that came with it. */
static void refuse(struct conn *c, enum osh_reason why, const char *detail, bool hard)
{
	struct flows *fs = c->fs;
	struct osh_event_named ev = event_of(c->grant, OSH_DENY, why, NULL, 0);
	struct osh_http more = { 0 };

	snprintf(more.detail, sizeof(more.detail), "%s", detail);
	c->reserved = false;
	(void)records_put_http(&fs->records, &ev, &more);
	conn_end(c, hard);
}

static void on_timer(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);

	if (c->state)
		conn_end(c, false);
	else if (c->client.ssl)
		refuse(c, OSH_WHY_TLS_CLIENT, "no end of the handshake in time", true);
	else
		refuse(c, OSH_WHY_FIRST_BYTES, "nothing came in time", true);
}

void conn_await(struct conn *c, enum timer_class what)
{
	if (!c->ending)
		loop_arm(c->fs->loop, &c->timer, what);
}

static void on_ready(struct stream *s, uint32_t events)
{
	struct conn *c = container_of(s, struct conn, client);

	if (!c->ending)
		c->ops->ready(c, events);
}

/* From here on each request has a record of its own, so the one that was kept for the connection is free. */
static void start(struct conn *c, enum tls_alpn alpn)
{
	if (!conn_grant(c)) {
		refuse(c, OSH_WHY_INTERNAL, "out of memory", true);
		return;
	}
	if (c->grant->why != OSH_WHY_ALLOWED) {
		refuse(c, OSH_WHY_REVOKED, reason_text(c->grant->why), true);
		return;
	}
	records_release(&c->fs->records);
	c->reserved = false;
	c->client.ready = on_ready;
	conn_await(c, TIMER_KEEP);
	if ((alpn == ALPN_H2 ? h2_client_start(c) : h1_client_start(c)) < 0)
		conn_end(c, true);
	else
		on_ready(&c->client, EPOLLIN | EPOLLOUT);
}

static void on_shaken(struct stream *s, const struct tls_result *r)
{
	struct conn *c = container_of(s, struct conn, client);

	if (r->why != OSH_WHY_ALLOWED) {
		refuse(c, r->why, r->detail, false);
		return;
	}
	c->tls = true;
	start(c, r->alpn);
}

static bool port_is_tls(uint16_t port)
{
	return port == 443 || port == 8443;
}

static void hand_over(struct conn *c, bool named)
{
	struct flows *fs = c->fs;
	int fd = c->client.w.fd;

	loop_unwatch(fs->loop, &c->client.w);
	c->client.w.fd = -1;
	c->reserved = false;		/* both go on to the flow */
	fs->n++;
	flow_relay(fs, fd, c->grant, named);
	conn_end(c, true);
}

/* Relayed as it is: what name it asks for is all that there is to see, and that must be the name dialled. */
static void relay(struct conn *c, const struct hello_found *found, bool tls)
{
	char name[OSH_NAME_MAX], want[OSH_NAME_MAX];
	const struct target *t = &c->grant->target;

	target_text(t, want);
	if (tls && found->ech)
		refuse(c, OSH_WHY_TLS_ECH, "", true);
	else if (tls && !t->literal && (!hosts_name(found->sni, name) || strcmp(name, want)))
		refuse(c, OSH_WHY_TLS_SNI, "", true);
	else if (tls && t->literal && found->sni.n)
		refuse(c, OSH_WHY_TLS_SNI, "", true);
	else
		hand_over(c, true);
}

/* Somebody may read it: it is plain HTTP, to all appearance. */
static void refuse_plain(struct conn *c)
{
	static char unread[PEEK];	/* left in the socket it would make a reset of the end */
	struct buf out = { 0 };

	(void)stream_read(&c->client, unread, sizeof(unread));
	deny_plain(&out, c, OSH_WHY_PLAIN_ON_TLS);
	if (buf_ok(&out))
		(void)stream_write(&c->client, out.p, out.n);
	buf_done(&out);
	refuse(c, OSH_WHY_PLAIN_ON_TLS, "", false);
}

static void begin(struct conn *c, enum hello what, const struct hello_found *found)
{
	char name[OSH_NAME_MAX];

	if (what == HELLO_PLAIN && port_is_tls(c->grant->target.port)) {
		refuse_plain(c);
	} else if (c->skip) {
		relay(c, found, what == HELLO_TLS);
	} else if (what == HELLO_PLAIN) {
		start(c, ALPN_HTTP1);
	} else if (!c->fs->tls) {
		refuse(c, OSH_WHY_TLS_CLIENT, "there is no root certificate to answer with", true);
	} else {
		target_text(&c->grant->target, name);
		conn_await(c, TIMER_HELLO);
		tls_accept(c->fs->tls, &c->client, &c->grant->policy->bundle, name, true, on_shaken);
	}
}

/* The first bytes are looked at, and stay in the socket for whoever reads them. */
static void on_first(struct stream *s, uint32_t events)
{
	static char bytes[PEEK];
	struct conn *c = container_of(s, struct conn, client);
	struct hello_found found = { 0 };
	enum hello what;
	ssize_t n;

	(void)events;
	if (c->ending)
		return;
	n = recv(s->w.fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		conn_end(c, n < 0);	/* it asked for nothing */
		return;
	}
	what = hello_read((struct slice){ bytes, (size_t)n }, &found);
	if (what == HELLO_MORE && n < (ssize_t)sizeof(bytes))
		return;
	if (what == HELLO_TLS || what == HELLO_PLAIN)
		begin(c, what, &found);
	else
		refuse(c, OSH_WHY_FIRST_BYTES, "malformed ClientHello", true);
}

void conn_start(struct flows *fs, int fd, struct grant *g, bool skip)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c || stream_open(&c->client, fs->loop, fd, on_first) < 0) {
		free(c);
		flow_refuse(fs, fd, g, OSH_WHY_INTERNAL);
		return;
	}
	c->fs = fs;
	c->grant = grant_ref(g);
	c->skip = skip;
	c->reserved = true;
	c->listed = true;
	c->timer.fn = on_timer;
	TAILQ_INSERT_TAIL(&fs->conns, c, link);
	loop_arm(fs->loop, &c->timer, TIMER_HELLO);
}

/* ---- another policy is in force */

static void take_back(struct conn *c, const char *detail)
{
	struct osh_event_named ev = event_of(c->grant, OSH_DENY, OSH_WHY_REVOKED, NULL, 0);
	struct osh_http more = { 0 };

	snprintf(more.detail, sizeof(more.detail), "%s", detail);
	if (c->reserved || records_reserve_last(&c->fs->records))
		(void)records_put_http(&c->fs->records, &ev, &more);	/* it ends either way */
	c->reserved = false;
	conn_end(c, true);
}

/* Nothing was read of it: it is as if it came now. */
static void begin_anew(struct conn *c)
{
	const struct bundle *b = &c->grant->policy->bundle;

	c->skip = rules_skip_tls(b, &c->grant->target);
	if (!c->skip && !rules_inspect(b, &c->grant->target))
		hand_over(c, false);
}

/*
 * Where requests do not matter any more, one in its handshake keeps the policy whose certificate it is to be shown;
 * start() judges it again. But no policy stays longer than the next but one.
 */
static bool keeps_policy(const struct conn *c, const struct grant *g)
{
	return !rules_inspect(&g->policy->bundle, &g->target) &&
	       g->policy->table.generation - c->grant->policy->table.generation == 1;
}

static void again(struct conn *c, struct grant *g)
{
	bool shaking = c->client.ssl && !c->state, good = g->why == OSH_WHY_ALLOWED;

	if (shaking && good && keeps_policy(c, g))
		return;
	if (shaking && good)
		tls_again(&c->client, &g->policy->bundle);
	grant_move(&c->grant, g);
	if (!good)
		take_back(c, reason_text(g->why));
	else if (shaking && !rules_inspect(&g->policy->bundle, &g->target))
		take_back(c, "the handshake took too long");
	else if (!c->state && !shaking)
		begin_anew(c);
}

static void last(struct flows *fs, struct exchange *x)
{
	TAILQ_REMOVE(&fs->exchanges, x, under_way);
	TAILQ_INSERT_TAIL(&fs->exchanges, x, under_way);
}

void conns_again(struct flows *fs)
{
	struct generation *p = fs->policies.now;
	struct exchange *x;
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&fs->conns); c; c = next) {
		struct grant *g = c->grant->policy == p ? NULL : grant_again(p, c->grant);

		next = TAILQ_NEXT(c, link);
		if (g)
			again(c, g);
		else if (c->grant->policy != p)
			conn_end(c, true);	/* no memory to judge it */
		grant_put(g);
	}
	/* What begins meanwhile is at the end, and is of this policy. */
	for (unsigned n = fs->requests; n && (x = TAILQ_FIRST(&fs->exchanges)); n--) {
		last(fs, x);
		if (x->grant->policy != p && !x->c->ending)
			exchange_again(x);
	}
}

void conns_creds(struct flows *fs)
{
	struct exchange *x;

	for (unsigned n = fs->requests; n && (x = TAILQ_FIRST(&fs->exchanges)); n--) {
		last(fs, x);
		if (!x->c->ending)
			exchange_creds(x);
	}
}
