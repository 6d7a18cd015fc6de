/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 without policy, pool and TLS: the client side and the upstream side over socket pairs, joined by
 * an exchange that lets everything through. At the far ends are nghttp2 sessions of the test, or nobody:
 * then the test writes bytes itself. Included by one program each.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "http/conn.h"
#include "http/upstream.h"

enum rig_mode { RIG_PASS, RIG_ECHO, RIG_HOLD, RIG_DENY, RIG_DENY_SOME };

struct exchange {
	struct side *client, *up;
	bool over, request_ended, answered;
	TAILQ_ENTRY(exchange) link;
	bool hold;			/* takes no bytes of the request */
};

TAILQ_HEAD(exchanges, exchange);

struct rig {
	struct loop loop;
	struct conn c;
	struct upstream u;
	bool has_u, c_done, u_done, c_hard, u_hard;
	enum rig_mode mode;
	struct exchanges live, dead;
	unsigned started, gone[8], bad, refused;
	int status;			/* of the last bad request */
	char why[160];
	struct head last;		/* head of the last request or answer */
	unsigned slots_freed;
	bool secret;			/* requests carry a credential */
	void (*seen)(const struct head *h);	/* every head that reaches an exchange */
	void (*turn)(void);		/* the far ends, once a round */
	bool (*until)(void);
	uint64_t stop_ms;
};

static struct rig rig;

static uint64_t rig_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void rig_over(struct exchange *x)
{
	if (x->over)
		return;
	x->over = true;
	if (x->client)
		x->client->x = NULL;
	if (x->up)
		x->up->x = NULL;
	rig.c.exchanges--;
	TAILQ_REMOVE(&rig.live, x, link);
	TAILQ_INSERT_TAIL(&rig.dead, x, link);
}

struct exchange *exchange_new(struct conn *c, struct side *client)
{
	struct exchange *x = calloc(1, sizeof(*x));

	x->client = client;
	x->hold = rig.mode == RIG_HOLD;
	c->exchanges++;
	rig.started++;
	TAILQ_INSERT_TAIL(&rig.live, x, link);
	return x;
}

static void rig_answer(struct exchange *x, unsigned status, const char *body)
{
	struct head h = { .status = (uint16_t)status };
	struct side *client = x->client;

	head_add(&h, SLICE("content-type"), SLICE("text/plain"));
	if (!*body)
		rig_over(x);
	client->ops->head(client, &h, !*body);
	head_done(&h);
	if (!*body)
		return;
	client->ops->body(client, slice_of(body));
	if (x->up && x->up->x)
		x->up->ops->abort(x->up, GONE_RESET);
	rig_over(x);
	client->ops->end(client, NULL);
}

static void rig_keep(struct head *h)
{
	head_done(&rig.last);
	rig.last = *h;
	*h = (struct head){ 0 };
}

static void rig_request(struct exchange *x, struct head *h, bool end)
{
	struct head answer = { .status = 200 };
	const struct field *f;

	x->request_ended = end;
	if (rig.mode == RIG_DENY ||
	    (rig.mode == RIG_DENY_SOME && strstr(head_str(h, h->target), "denied"))) {
		rig_keep(h);
		rig_answer(x, 403, "{\"error\":\"policy_denied\"}");
		return;
	}
	if (rig.mode == RIG_PASS || rig.mode == RIG_DENY_SOME) {
		x->up = rig.u.ending || rig.u.closing ? NULL : rig.u.ops->open(&rig.u);
		if (!x->up) {
			rig_keep(h);
			rig_answer(x, 502, "no upstream");
			return;
		}
		rig.u.open++;
		x->up->x = x;
		h->secret = rig.secret;
		x->up->ops->head(x->up, h, end);
	} else if (rig.mode == RIG_ECHO) {
		struct side *client = x->client;

		if ((f = head_find(h, "content-type", 0)))
			head_add(&answer, SLICE("content-type"), head_value(h, f));
		if (end)
			rig_over(x);
		client->ops->head(client, &answer, end);
	}
	head_done(&answer);
	rig_keep(h);
}

void exchange_head(struct exchange *x, struct side *from, struct head *h, bool end)
{
	struct side *client = x->client;

	if (rig.seen)
		rig.seen(h);
	if (from == client) {
		rig_request(x, h, end);
		return;
	}
	if (end) {
		if (!x->request_ended)
			x->up->ops->abort(x->up, GONE_RESET);
		rig_over(x);
	}
	x->answered |= h->status >= 200;
	client->ops->head(client, h, end);
	rig_keep(h);
}

static struct side *rig_other(struct exchange *x, struct side *from)
{
	if (rig.mode == RIG_ECHO)
		return x->client;
	return from == x->client ? x->up : x->client;
}

size_t exchange_body(struct exchange *x, struct side *from, struct slice bytes)
{
	struct side *to = rig_other(x, from);

	if (from == x->client && x->hold)
		return 0;
	return to ? to->ops->body(to, bytes) : bytes.n;
}

void exchange_end(struct exchange *x, struct side *from, const struct head *trailers)
{
	struct side *to = rig_other(x, from);

	if (from == x->client && rig.mode != RIG_ECHO) {
		x->request_ended = true;
		if (to)
			to->ops->end(to, trailers);
		return;
	}
	if (x->up && !x->request_ended)
		x->up->ops->abort(x->up, GONE_RESET);
	rig_over(x);
	to->ops->end(to, trailers);
}

void exchange_writable(struct exchange *x, struct side *from)
{
	struct side *to = rig_other(x, from);

	if (to)
		to->ops->resume(to);
}

void exchange_gone(struct exchange *x, struct side *from, enum gone why)
{
	struct side *other = from == x->client ? x->up : x->client;
	bool from_up = from == x->up, answered = x->answered;

	rig.gone[why]++;
	if (!from_up || answered) {
		rig_over(x);
		if (other)
			other->ops->abort(other, why);
	} else {
		x->up = NULL;
		from->x = NULL;
		rig_answer(x, 502, "upstream went away");
	}
}

void conn_bad_request(struct conn *c, int status, const char *why, struct buf *body)
{
	(void)c;
	rig.bad++;
	rig.status = status;
	snprintf(rig.why, sizeof(rig.why), "%s", why);
	buf_str(body, "{\"error\":\"bad_request\"}");
}

void conn_refusal(struct conn *c, struct buf *body)
{
	(void)c;
	rig.refused++;
	buf_str(body, "{}");
}

void conn_await(struct conn *c, enum timer_class what)
{
	(void)c;
	(void)what;
}

void conn_end(struct conn *c, bool hard)
{
	if (c->ending)
		return;
	c->ending = true;
	rig.c_hard = hard;
	stream_close(&c->client, hard);
}

void upstream_end(struct upstream *u, bool hard)
{
	if (u->ending)
		return;
	u->ending = true;
	rig.u_hard = hard;
	stream_close(&u->stream, hard);
}

void upstream_free_slot(struct upstream *u)
{
	u->open--;
	rig.slots_freed++;
	if (u->closing && !u->open)
		upstream_end(u, false);
}

static void rig_c_ready(struct stream *s, uint32_t events)
{
	struct conn *c = container_of(s, struct conn, client);

	c->ops->ready(c, events);
}

static void rig_u_ready(struct stream *s, uint32_t events)
{
	struct upstream *u = container_of(s, struct upstream, stream);

	u->ops->ready(u, events);
}

static void rig_reap(void)
{
	struct exchange *x;

	if (rig.c.ending && !rig.c_done) {
		rig.c_done = true;
		rig.c.ops->done(&rig.c);
	}
	if (rig.has_u && rig.u.ending && !rig.u_done) {
		rig.u_done = true;
		rig.u.ops->done(&rig.u);
	}
	while ((x = TAILQ_FIRST(&rig.dead))) {
		TAILQ_REMOVE(&rig.dead, x, link);
		free(x);
	}
}

static int rig_before(void *arg)
{
	(void)arg;
	rig_reap();
	if (rig.turn)
		rig.turn();
	if ((rig.until && rig.until()) || rig_ms() > rig.stop_ms)
		rig.loop.stop = 1;
	return rig.loop.stop ? 0 : 1;
}

/* True: `until` came true in time. */
static bool rig_run(bool (*until)(void), unsigned ms)
{
	struct err e;

	rig.until = until;
	rig.stop_ms = rig_ms() + ms;
	rig.loop.stop = 0;
	rig.loop.before = rig_before;
	(void)loop_run(&rig.loop, &e);
	return until && until();
}

/* Far ends of the client's and the upstream's connection. `u_fd` NULL: no upstream. */
static int rig_open(enum rig_mode mode, int *c_fd, int *u_fd)
{
	int fd[2];
	struct err e;

	memset(&rig, 0, sizeof(rig));
	TAILQ_INIT(&rig.live);
	TAILQ_INIT(&rig.dead);
	rig.mode = mode;
	rig.c.tls = true;
	if (loop_init(&rig.loop, &e) < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) < 0)
		return -1;
	*c_fd = fd[0];
	if (stream_open(&rig.c.client, &rig.loop, fd[1], rig_c_ready) < 0 || h2_client_start(&rig.c) < 0)
		return -1;
	rig.c.ops->ready(&rig.c, 0);
	if (!u_fd)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd) < 0)
		return -1;
	*u_fd = fd[0];
	rig.has_u = true;
	if (stream_open(&rig.u.stream, &rig.loop, fd[1], rig_u_ready) < 0 || h2_upstream_start(&rig.u) < 0)
		return -1;
	rig.u.ops->ready(&rig.u, 0);
	return 0;
}

static void rig_close(void)
{
	struct exchange *x;

	conn_end(&rig.c, true);
	if (rig.has_u)
		upstream_end(&rig.u, true);
	rig_reap();
	while ((x = TAILQ_FIRST(&rig.live)))
		rig_over(x);
	rig_reap();
	head_done(&rig.last);
	close(rig.loop.epfd);
}
