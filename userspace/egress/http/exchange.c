/* SPDX-License-Identifier: Apache-2.0 */
#include "http/exchange.h"

#include <stdlib.h>

#include "flow.h"
#include "http/exchange_parts.h"
#include "http/guard.h"
#include "http/inference.h"
#include "secret.h"

#define KEPT 64				/* exchanges kept for reuse, with the memory of their heads */

static struct exchange *kept[KEPT];
static unsigned n_kept;

static void reap(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);
	struct head mine = x->head;

	head_done(&x->trailers);
	websocket_free(x->ws);
	guard_done(x);
	inference_done(x);
	grant_put(x->grant);
	if (n_kept == KEPT) {
		head_done(&mine);
		free(x);
		return;
	}
	head_reset(&mine);
	*x = (struct exchange){ .head = mine };
	kept[n_kept++] = x;
}

static void on_timer(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);

	if (x->stage == X_DRAIN)
		answer_start(x);
	else if (x->stage == X_HOLD)
		answer_deny(x, 408, OSH_WHY_HTTP_BAD, "no end of the body in time", true);
	else if (x->stage == X_CONNECT)
		answer_deny(x, 504, OSH_WHY_UPSTREAM, "no connection in time", true);
	else if (x->stage == X_LIMIT)
		limits_late(x);
	else if (!x->answered)
		answer_deny(x, 504, OSH_WHY_UPSTREAM_HTTP, "no answer in time", true);
	else
		exchange_cut(x, GONE_TIMEOUT);
}

struct grant *conn_grant(struct conn *c)
{
	return grant_now(&c->fs->policies, &c->grant) ? c->grant : NULL;
}

struct exchange *exchange_new(struct conn *c, struct side *client)
{
	struct flows *fs = c->fs;
	struct exchange *x = NULL;

	if (fs->requests < OSH_EGRESS_REQUESTS)
		x = n_kept ? kept[--n_kept] : calloc(1, sizeof(*x));
	if (!x) {
		conn_limit(c);
		return NULL;
	}
	x->fs = fs;
	x->c = c;
	x->grant = grant_ref(c->grant);
	x->client = client;
	x->timer.fn = on_timer;
	x->wait.fn = up_place;
	client->x = x;
	if (c->listed) {
		TAILQ_REMOVE(&fs->conns, c, link);
		TAILQ_INSERT_TAIL(&fs->conns, c, link);
	}
	TAILQ_INSERT_TAIL(&fs->exchanges, x, under_way);
	c->exchanges++;
	fs->requests++;
	return x;
}

bool exchange_held_room(const struct exchange *x, size_t n)
{
	return x->fs->held <= OSH_EGRESS_BODY && n <= OSH_EGRESS_BODY - x->fs->held;
}

void exchange_kept(struct exchange *x, size_t n)
{
	x->fs->held = x->fs->held - x->kept + n;
	x->kept = n;
}

void exchange_held_add(struct exchange *x, struct slice bytes)
{
	size_t was = x->held.n;

	buf_put(&x->held, bytes.p, bytes.n);
	x->fs->held += x->held.n - was;
}

void exchange_held_drop(struct exchange *x)
{
	if (x->stage != X_ANSWER && x->stage != X_DRAIN)	/* our own answers do not count */
		x->fs->held -= x->held.n;
	if (x->head.secret && x->held.p)
		secret_wipe(x->held.p, x->held.cap);
	buf_done(&x->held);
	x->held = (struct buf){ 0 };
	x->held_at = 0;
}

void exchange_drop_upstream(struct exchange *x, enum gone why)
{
	struct side *up = x->up;

	x->up = NULL;
	if (!up)
		return;
	up->x = NULL;
	up->ops->abort(up, why);
}

void exchange_unqueue(struct exchange *x)
{
	if (x->stage == X_RECORD)
		TAILQ_REMOVE(&x->fs->waiting, x, link);
	if (x->stage == X_TOKEN)
		TAILQ_REMOVE(&x->fs->tokens, x, link);
	if (x->stage == X_LIMIT)
		TAILQ_REMOVE(&x->fs->limits.line, x, link);
	pool_cancel(&x->wait);
}

void exchange_over(struct exchange *x)
{
	if (x->stage == X_OVER)
		return;
	exchange_unqueue(x);
	exchange_held_drop(x);
	exchange_kept(x, 0);
	limits_settle(x);
	inference_end(x);
	x->stage = X_OVER;
	if (x->reserved)
		records_release(&x->fs->records);
	x->reserved = false;
	x->client->x = NULL;
	TAILQ_REMOVE(&x->fs->exchanges, x, under_way);
	x->c->exchanges--;
	x->fs->requests--;
	loop_disarm(x->fs->loop, &x->timer);
	x->timer.fn = reap;
	loop_arm(x->fs->loop, &x->timer, TIMER_NOW);
	exchange_drop_upstream(x, GONE_RESET);
}

void exchange_cut(struct exchange *x, enum gone why)
{
	struct side *client = x->client;

	if (x->stage == X_OVER)
		return;
	exchange_over(x);
	client->ops->abort(client, why);
}

const struct target *exchange_target(const struct exchange *x)
{
	return x->inference && x->inference->to ? &x->inference->to->target : &x->grant->target;
}

bool exchange_tls(const struct exchange *x)
{
	return x->inference ? !x->inference->plain : x->c->tls;
}

void exchange_await(struct exchange *x, enum timer_class what)
{
	loop_arm(x->fs->loop, &x->timer, what);
}

void exchange_resume(struct exchange *x)
{
	if (!x->in_client)
		x->client->ops->resume(x->client);
}

/* ---- what sides say */

static bool is_client(const struct exchange *x, const struct side *s)
{
	return s == x->client;
}

void exchange_head(struct exchange *x, struct side *from, struct head *h, bool end)
{
	if (is_client(x, from) && x->stage == X_NEW) {
		x->in_client = true;
		up_head(x, h, end);
		x->in_client = false;
	} else if (from == x->up && !x->answered)
		down_head(x, h, end);
}

size_t exchange_body(struct exchange *x, struct side *from, struct slice bytes)
{
	size_t n;

	if (is_client(x, from)) {
		x->in_client = true;
		n = up_body(x, bytes);
		x->in_client = false;
		return n;
	}
	return from == x->up && x->answered ? down_body(x, bytes) : 0;
}

void exchange_end(struct exchange *x, struct side *from, const struct head *trailers)
{
	if (is_client(x, from)) {
		x->in_client = true;
		up_end(x, trailers);
		x->in_client = false;
	} else if (from == x->up && x->answered)
		down_end(x, trailers);
}

void exchange_writable(struct exchange *x, struct side *from)
{
	if (is_client(x, from) && x->stage == X_ANSWER)
		answer_push(x);
	else if (is_client(x, from))
		down_writable(x);
	else if (from == x->up && x->stage == X_OPEN)
		up_push(x);
}

void exchange_gone(struct exchange *x, struct side *from, enum gone why)
{
	if (is_client(x, from)) {
		exchange_over(x);
	} else if (from == x->up) {
		from->x = NULL;
		down_gone(x, why);
	}
}
