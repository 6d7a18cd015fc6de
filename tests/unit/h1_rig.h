/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both sides of HTTP/1.1 on socket pairs, with an exchange between them that allows everything and passes
 * everything on. The test holds the far ends: `client` and `server`.
 */
#pragma once

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "buf.h"
#include "http/conn.h"
#include "http/upstream.h"
#include "own.h"

struct exchange {
	struct side *client, *up;
	bool request_sent, answered, over;
};

static struct rig {
	struct loop loop;
	struct conn c;
	struct upstream u;
	struct exchange x;
	int client, server;		/* the test's ends; blocking, with a timeout */
	bool have_up, refuse;		/* refuse: no exchange is to be had */
	int n_requests, n_bad, bad_status, n_free;
	int gone;			/* why the upstream side went, -1 = it did not */
	char bad_why[200];
} rig;

static void rig_drop_up(struct exchange *x)
{
	struct side *up = x->up;

	x->up = NULL;
	if (!up)
		return;
	up->x = NULL;
	if (!x->request_sent || !x->over)
		up->ops->abort(up, GONE_RESET);
}

static void rig_over(struct exchange *x)
{
	x->over = true;
	x->client->x = NULL;
	rig_drop_up(x);
}

struct exchange *exchange_new(struct conn *c, struct side *client)
{
	if (rig.refuse)
		return NULL;
	(void)c;
	rig.n_requests++;
	rig.x = (struct exchange){ .client = client };
	client->x = &rig.x;
	return &rig.x;
}

static void rig_answer(struct exchange *x, int status)
{
	struct head h = { .status = (uint16_t)status };

	x->over = false;
	rig_over(x);
	x->client->ops->head(x->client, &h, true);
}

void exchange_head(struct exchange *x, struct side *from, struct head *h, bool end)
{
	if (from == x->client) {
		x->up = rig.have_up && !rig.u.ending ? rig.u.ops->open(&rig.u) : NULL;
		if (!x->up) {
			rig_answer(x, 502);
			return;
		}
		rig.u.open++;
		x->up->x = x;
		x->request_sent = end;
		x->up->ops->head(x->up, h, end);
		return;
	}
	x->answered = h->status >= 200 || h->status == 101;
	if (end && h->status >= 200)
		rig_over(x);
	x->client->ops->head(x->client, h, end);
}

size_t exchange_body(struct exchange *x, struct side *from, struct slice bytes)
{
	struct side *to = from == x->client ? x->up : x->client;

	return to ? to->ops->body(to, bytes) : bytes.n;
}

void exchange_end(struct exchange *x, struct side *from, const struct head *trailers)
{
	if (from == x->client) {
		x->request_sent = true;
		if (x->up)
			x->up->ops->end(x->up, trailers);
		return;
	}
	rig_over(x);
	x->client->ops->end(x->client, trailers);
}

void exchange_writable(struct exchange *x, struct side *from)
{
	struct side *to = from == x->client ? x->up : x->client;

	if (to)
		to->ops->resume(to);
}

void exchange_gone(struct exchange *x, struct side *from, enum gone why)
{
	from->x = NULL;
	if (from == x->client) {
		rig_over(x);
		return;
	}
	x->up = NULL;
	rig.gone = (int)why;
	if (x->answered) {
		x->client->x = NULL;
		x->client->ops->abort(x->client, why);
	} else {
		rig_answer(x, 502);
	}
}

void conn_bad_request(struct conn *c, int status, const char *why, struct buf *body)
{
	(void)c;
	rig.n_bad++;
	rig.bad_status = status;
	snprintf(rig.bad_why, sizeof(rig.bad_why), "%s", why);
	buf_str(body, "{}");
}

void conn_refusal(struct conn *c, struct buf *body)
{
	(void)c;
	buf_str(body, "{}");
}

void conn_await(struct conn *c, enum timer_class what)
{
	if (!c->ending)
		loop_arm(c->client.loop, &c->timer, what);
}

static void rig_conn_timer(struct timer *t)
{
	conn_end(container_of(t, struct conn, timer), false);
}

static void rig_conn_reap(struct timer *t)
{
	struct conn *c = container_of(t, struct conn, timer);

	c->ops->done(c);
}

void conn_end(struct conn *c, bool hard)
{
	if (c->ending)
		return;
	c->ending = true;
	stream_close(&c->client, hard);
	c->timer.fn = rig_conn_reap;
	loop_arm(&rig.loop, &c->timer, TIMER_NOW);
}

static void rig_up_reap(struct timer *t)
{
	struct upstream *u = container_of(t, struct upstream, idle);

	u->ops->done(u);
}

void upstream_end(struct upstream *u, bool hard)
{
	if (u->ending)
		return;
	u->ending = true;
	stream_close(&u->stream, hard);
	u->idle.fn = rig_up_reap;
	loop_arm(&rig.loop, &u->idle, TIMER_NOW);
}

void upstream_free_slot(struct upstream *u)
{
	rig.n_free++;
	u->open--;
	u->used = true;
	if (u->closing)
		upstream_end(u, false);
}

static void rig_conn_ready(struct stream *s, uint32_t events)
{
	struct conn *c = container_of(s, struct conn, client);

	if (!c->ending)
		c->ops->ready(c, events);
}

static void rig_up_ready(struct stream *s, uint32_t events)
{
	struct upstream *u = container_of(s, struct upstream, stream);

	if (!u->ending)
		u->ops->ready(u, events);
}

static void rig_check(bool ok)
{
	if (!ok)
		abort();
}

/* The loop runs only inside rig_turn(): no threads, nothing happens by itself. */
static void rig_stop(struct timer *t)
{
	(void)t;
	rig.loop.stop = 1;
}

static int rig_before(void *arg)
{
	(void)arg;
	return 0;
}

static void rig_turn(int rounds)
{
	while (rounds--) {
		struct timer stop = { .fn = rig_stop };
		struct err e;

		rig.loop.stop = 0;
		rig.loop.before = rig_before;
		loop_arm(&rig.loop, &stop, TIMER_NOW);
		rig_check(loop_run(&rig.loop, &e) == 0);
	}
}

static int rig_pair(struct stream *s, void (*ready)(struct stream *, uint32_t))
{
	int fds[2];

	rig_check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	rig_check(stream_open(s, &rig.loop, fds[0], ready) == 0);
	return fds[1];
}

static void rig_upstream(void)
{
	rig.u = (struct upstream){ 0 };
	rig.server = rig_pair(&rig.u.stream, rig_up_ready);
	rig_check(h1_upstream_start(&rig.u) == 0);
	rig.have_up = true;
}

static void rig_start(void)
{
	struct err e;

	memset(&rig, 0, sizeof(rig));
	rig.gone = -1;
	rig_check(loop_init(&rig.loop, &e) == 0);
	rig.c.timer.fn = rig_conn_timer;
	rig.client = rig_pair(&rig.c.client, rig_conn_ready);
	rig_check(h1_client_start(&rig.c) == 0);
	rig_upstream();
	rig_turn(2);
}

static void rig_stop_all(void)
{
	conn_end(&rig.c, true);
	upstream_end(&rig.u, true);
	rig_turn(2);
	close(rig.client);
	close(rig.server);
	close(rig.loop.epfd);
}

static void rig_put(int fd, const char *text)
{
	rig_check(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	rig_turn(6);
}

/* What has come, as text; "<end>" where the stream ended after it, "<reset>" where it broke. */
static const char *rig_get(int fd)
{
	static char text[200000];
	size_t n = 0;
	ssize_t r;

	while ((r = read(fd, text + n, sizeof(text) - 20 - n)) > 0)
		n += (size_t)r;
	text[n] = 0;
	if (r == 0)
		strcat(text, "<end>");
	else if (errno != EAGAIN)
		strcat(text, "<reset>");
	return text;
}
