/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exchanges between sides of the test's own, with a pool and rules of its own, which the egress' parts find in place
 * of theirs: one program includes this once.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cred/cred.h"
#include "flow.h"
#include "http/conn.h"
#include "http/exchange_parts.h"
#include "http/pool.h"
#include "osh/creds.h"
#include "osh/msg.h"
#include "rules/rules.h"

#include <cmocka.h>

/* ---- what the exchange finds around it */

static struct {
	enum osh_verdict verdict;
	size_t wants;			/* bytes of body that the rules ask for */
	bool place;			/* the pool has a place at once */
	int asked, fresh;		/* how often the pool was asked; and for a new connection */
	struct pool_wait *waiting;
	const char *path;		/* that the rules find, NULL = /canonical */
	uint32_t l7;			/* and the endpoint */
} world;

bool rules_inspect(const struct bundle *b, const struct target *t)
{
	(void)b, (void)t;
	return true;
}

size_t rules_wants_body(const struct bundle *b, const struct target *t, const struct rules_request *q)
{
	(void)b, (void)t, (void)q;
	return world.wants;
}

void rules_pass(const struct bundle *b, const struct target *t, const struct rules_request *q, struct rules_answer *a)
{
	rules_judge(b, t, q, a);
}

void rules_judge(const struct bundle *b, const struct target *t, const struct rules_request *q, struct rules_answer *a)
{
	(void)b, (void)t;
	*a = (struct rules_answer){ .verdict = world.verdict,
				    .why = world.verdict == OSH_ALLOW ? OSH_WHY_ALLOWED : OSH_WHY_REQUEST };
	snprintf(a->path, sizeof(a->path), "%s", world.path ? world.path : "/canonical");
	a->l7 = world.l7;
	if (q->body.n && !memcmp(q->body.p, "bad", 3))
		a->verdict = OSH_DENY;
}

struct end {				/* a side, and what it was told */
	struct side side;
	char log[4096];
	size_t room;			/* bytes it takes */
	bool upstream;
};

#define UPS 10				/* more than a request is ever sent */

static struct end client, up[UPS];
static struct loop loop;
static struct flows fs;
static struct conn conn;
static int audit = -1;

static inline void say(struct end *e, const char *fmt, ...)
{
	size_t n = strlen(e->log);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(e->log + n, sizeof(e->log) - n, fmt, ap);
	va_end(ap);
}

static inline void on_head(struct side *s, const struct head *h, bool end)
{
	struct end *e = container_of(s, struct end, side);

	if (e->upstream)
		say(e, "%s %s%s ", head_str(h, h->method), head_str(h, h->target), end ? "." : "");
	else
		say(e, "%u%s ", h->status, end ? "." : "");
}

static inline size_t on_body(struct side *s, struct slice b)
{
	struct end *e = container_of(s, struct end, side);
	size_t n = b.n < e->room ? b.n : e->room;

	e->room -= n;
	if (n && b.p[0] == '{')
		say(e, "json ");
	else if (n)
		say(e, "%.*s ", (int)n, b.p);
	return n;
}

static inline void on_end(struct side *s, const struct head *t)
{
	struct end *e = container_of(s, struct end, side);

	assert_true(e->upstream || !s->x);	/* a client is unlinked before its last word */
	say(e, t ? "end+ " : "end ");
}

static inline void on_resume(struct side *s)
{
	say(container_of(s, struct end, side), "resume ");
}

static inline void on_abort(struct side *s, enum gone why)
{
	assert_null(s->x);
	say(container_of(s, struct end, side), "abort%d ", why);
}

static const struct side_ops ops = { on_head, on_body, on_end, on_resume, on_abort };

void pool_get(struct flows *f, const struct pool_ask *q, struct pool_wait *w)
{
	struct end *e = &up[world.asked++];

	(void)f;
	world.fresh += q->fresh;
	world.waiting = w;
	if (world.place)
		w->fn(w, &e->side, OSH_WHY_ALLOWED, "");
}

void pool_cancel(struct pool_wait *w)
{
	if (world.waiting == w)
		world.waiting = NULL;
}

/* ---- helpers */

static inline void settle(void)
{
	struct timer *t;

	exchange_resume_all(&fs);
	for (int c = TIMER_NOW; c <= TIMER_GRACE; c++)	/* as if their time had come */
		while ((t = TAILQ_FIRST(&loop.timers[c]))) {
			loop_disarm(&loop, t);
			t->fn(t);
		}
}

static inline int setup(void **state)
{
	struct err e;
	int pair[2], big = 1 << 22;

	(void)state;
	memset(&world, 0, sizeof(world));
	world.verdict = OSH_ALLOW;
	world.place = true;
	memset(&fs, 0, sizeof(fs));
	assert_int_equal(loop_init(&loop, &e), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof(big));
	audit = pair[1];
	assert_int_equal(records_init(&fs.records, &loop, pair[0], &e), 0);
	fs.loop = &loop;
	static struct grant grant;
	static struct generation policy;

	policy = (struct generation){ .table = { .bundle = &policy.bundle, .idents_fd = -1 }, .refs = 1 };
	grant = (struct grant){ .policy = &policy, .refs = 1, .why = OSH_WHY_ALLOWED,
				.target = { .port = 443, .name = "a.example" } };
	fs.policies.now = &policy;
	exchanges_init(&fs);
	conn = (struct conn){ .fs = &fs, .grant = &grant, .tls = true };
	client = (struct end){ .side.ops = &ops, .room = 1 << 20 };
	for (int i = 0; i < UPS; i++)
		up[i] = (struct end){ .side.ops = &ops, .room = 1 << 20, .upstream = true };
	return 0;
}

/* Whatever happened: nothing is held, reserved, linked or counted any more. */
static inline int teardown(void **state)
{
	(void)state;
	settle();
	assert_null(client.side.x);
	for (int i = 0; i < UPS; i++)
		assert_null(up[i].side.x);
	assert_int_equal(conn.exchanges, 0);
	assert_int_equal(fs.requests, 0);
	assert_int_equal(fs.held, 0);
	assert_int_equal(fs.records.reserved, 0);
	assert_true(TAILQ_EMPTY(&fs.waiting));
	close(fs.records.w.fd);
	close(audit);
	free(fs.records.ring);
	close(loop.epfd);
	return 0;
}

static inline int records(enum osh_verdict v, enum osh_reason why)
{
	struct osh_msg_request m;
	int n = 0;

	while (recv(audit, &m, sizeof(m), MSG_DONTWAIT) == sizeof(m))
		n += m.e.ev.kind == OSH_EV_HTTP && m.e.ev.verdict == v && m.e.ev.why == why;
	return n;
}

static inline void request(const char *method, bool end, const char *field, const char *value)
{
	struct head h = { .version = 11 };
	struct exchange *x = exchange_new(&conn, &client.side);

	assert_non_null(x);
	h.method = head_text(&h, slice_of(method));
	h.target = head_text(&h, SLICE("/a/../canonical"));
	h.authority = head_text(&h, SLICE("a.example"));
	if (field)
		assert_true(head_add(&h, slice_of(field), slice_of(value)));
	exchange_head(x, &client.side, &h, end);
	head_done(&h);
}

static inline void answer(struct end *e, unsigned status, bool end)
{
	struct head h = { .status = (uint16_t)status, .version = 11 };

	exchange_head(e->side.x, &e->side, &h, end);
	head_done(&h);
}

static inline size_t send_body(struct end *e, const char *text)
{
	return exchange_body(e->side.x, &e->side, slice_of(text));
}

#define HEARD(e, text) assert_string_equal((e).log, text)

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
