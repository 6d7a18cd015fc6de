/* SPDX-License-Identifier: Apache-2.0 */
#include "http/exchange.h"

#include <stdlib.h>

#include "flow.h"
#include "http/deny.h"
#include "http/exchange_parts.h"
#include "http/guard.h"
#include "http/request.h"

#define KEPT 64				/* exchanges kept for reuse, with the memory of their heads */
#define INTERIM_MOST 16
#define TRIES 2

static struct exchange *kept[KEPT];
static unsigned n_kept;

static void reap(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);
	struct head mine = x->head;

	head_done(&x->trailers);
	websocket_free(x->ws);
	guard_done(x);
	if (n_kept == KEPT) {
		head_done(&mine);
		free(x);
		return;
	}
	head_reset(&mine);
	*x = (struct exchange){ .head = mine };
	kept[n_kept++] = x;
}

static void on_place(struct pool_wait *w, struct side *side, enum osh_reason why, const char *detail);

static void on_timer(struct timer *t)
{
	struct exchange *x = container_of(t, struct exchange, timer);

	if (x->stage == X_DRAIN)
		answer_start(x);
	else if (x->stage == X_HOLD)
		answer_deny(x, 408, OSH_WHY_HTTP_BAD, "no end of the body in time", true);
	else if (x->stage == X_CONNECT)
		answer_deny(x, 504, OSH_WHY_UPSTREAM, "no connection in time", true);
	else if (!x->answered)
		answer_deny(x, 504, OSH_WHY_UPSTREAM_HTTP, "no answer in time", true);
	else
		exchange_cut(x, GONE_TIMEOUT);
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
	x->client = client;
	x->timer.fn = on_timer;
	x->wait.fn = on_place;
	client->x = x;
	c->exchanges++;
	fs->requests++;
	return x;
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
	buf_done(&x->held);
	x->held = (struct buf){ 0 };
	x->held_at = 0;
}

/* It has the whole request and gave the whole answer: nothing to abort. An upgraded one never ends so. */
static void release_upstream(struct exchange *x)
{
	if (!x->up || !x->request_sent || x->upgraded)
		return;
	x->up->x = NULL;
	x->up = NULL;
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

void exchange_over(struct exchange *x)
{
	if (x->stage == X_OVER)
		return;
	if (x->stage == X_RECORD)
		TAILQ_REMOVE(&x->fs->waiting, x, link);
	if (x->stage == X_TOKEN)
		TAILQ_REMOVE(&x->fs->tokens, x, link);
	exchange_held_drop(x);
	x->stage = X_OVER;
	pool_cancel(&x->wait);
	if (x->reserved)
		records_release(&x->fs->records);
	x->reserved = false;
	x->client->x = NULL;
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

/* ---- to the upstream */

void exchange_resume(struct exchange *x)
{
	if (!x->in_client)
		x->client->ops->resume(x->client);
}

static void await(struct exchange *x, enum timer_class what)
{
	loop_arm(x->fs->loop, &x->timer, what);
}

static void end_request(struct exchange *x)
{
	const struct head *t = x->trailers.n_fields ? &x->trailers : NULL;

	x->request_sent = true;
	x->up->ops->end(x->up, t);
}

/* Gives on what was held. True = all of it is out, the rest of the body may follow. */
static bool push_held(struct exchange *x)
{
	while (x->held_at < x->held.n) {
		struct slice rest = { x->held.p + x->held_at, x->held.n - x->held_at };
		size_t n = x->up->ops->body(x->up, rest);

		if (x->stage != X_OPEN || !x->up)
			return false;
		x->body_sent |= n > 0;
		x->held_at += n;
		if (n < rest.n)
			return false;
	}
	return true;
}

/* The same for what the guard has let through. */
static bool push_guarded(struct exchange *x)
{
	struct slice rest;

	if (!x->guard || !x->guard->out_on)
		return true;
	while ((rest = filter_ready(&x->guard->out)).n) {
		size_t n = x->up->ops->body(x->up, rest);

		if (x->stage != X_OPEN || !x->up)
			return false;
		x->body_sent |= n > 0;
		filter_passed(&x->guard->out, n);
		if (n < rest.n)
			return false;
	}
	return true;
}

static void push_request(struct exchange *x)
{
	if (x->request_sent || !push_held(x) || !push_guarded(x))
		return;
	if (x->client_ended)
		end_request(x);
	else
		exchange_resume(x);
}

static void on_place(struct pool_wait *w, struct side *side, enum osh_reason why, const char *detail)
{
	struct exchange *x = container_of(w, struct exchange, wait);
	bool end;

	if (!side) {
		answer_deny(x, deny_status(why), why, detail, false);
		return;
	}
	x->up = side;
	side->x = x;
	x->stage = X_OPEN;
	await(x, TIMER_IDLE);
	end = x->client_ended && !x->held.n && !x->trailers.n_fields;
	x->request_sent = end;
	side->ops->head(side, &x->head, end);
	if (x->stage == X_OPEN && x->up)
		push_request(x);
}

void exchange_open(struct exchange *x)
{
	struct pool_ask q = { .target = &x->c->target, .tls = x->c->tls, .http1 = x->upgrade,
			      .fresh = x->tries > 0, .cred = x->cred };

	x->stage = X_CONNECT;
	x->tries++;
	await(x, TIMER_HEAD);
	pool_get(x->fs, &q, &x->wait);
}

/* ---- from the client */

static void client_head(struct exchange *x, struct head *h, bool end)
{
	struct head empty = x->head;

	x->head = *h;
	*h = empty;
	x->client_ended = end;
	judge_begin(x);
}

/* A body that streams is searched on its way; a placeholder in it ends the request where it is. */
static size_t guarded_body(struct exchange *x, struct slice bytes)
{
	struct filter *f = &x->guard->out;
	size_t n = filter_push(f, bytes);

	if (!f->found)
		(void)push_guarded(x);
	else if (!x->answered)
		answer_deny(x, 403, OSH_WHY_PLACEHOLDER, "a placeholder in the body", true);
	else
		exchange_cut(x, GONE_RESET);
	return n;
}

/* True: the message goes on. */
static bool take_message(struct exchange *x, const struct rules_answer *a)
{
	x->rule = a->rule;
	x->line = a->line;
	if (a->verdict == OSH_ALLOW)
		return true;
	return answer_event(x, a->verdict, a->why, 0, "a message on the WebSocket") && a->verdict != OSH_DENY;
}

/* A message that is denied, or that is none, ends the WebSocket: there is no answer to give in its middle. */
static size_t client_messages(struct exchange *x, struct slice bytes)
{
	static struct rules_answer a;	/* large, and done with on return */
	struct buf out = { 0 };
	enum websocket_step step;
	const char *why = NULL;
	bool good = true;

	websocket_feed(x->ws, bytes);
	while (good && (step = websocket_next(x->ws, &out, &a, &why)) != WS_MORE) {
		good = step == WS_JUDGED && take_message(x, &a);
		if (step == WS_BROKEN)
			(void)answer_event(x, OSH_DENY, OSH_WHY_HTTP_BAD, 0, why);
	}
	exchange_held_drop(x);
	if (good && out.n)
		exchange_held_add(x, (struct slice){ out.p, out.n });
	buf_done(&out);
	if (!good || !buf_ok(&x->held))
		exchange_cut(x, GONE_RESET);
	else
		(void)push_held(x);
	return bytes.n;
}

static size_t client_body(struct exchange *x, struct slice bytes)
{
	size_t n;

	if (x->stage == X_HOLD)
		return judge_hold(x, bytes);
	if (x->stage == X_DRAIN)
		return answer_drain(x, bytes);
	if (x->stage != X_OPEN || !x->up || x->held_at < x->held.n)
		return 0;
	await(x, TIMER_IDLE);
	if (x->ws && x->upgraded)
		return client_messages(x, bytes);
	if (x->guard && x->guard->out_on)
		return guarded_body(x, bytes);
	n = x->up->ops->body(x->up, bytes);
	x->body_sent |= n > 0;
	return n;
}

static void client_end(struct exchange *x, const struct head *trailers)
{
	if (x->client_ended)
		return;
	x->client_ended = true;
	for (uint32_t i = 0; trailers && i < trailers->n_fields; i++)
		(void)head_add(&x->trailers, head_name(trailers, &trailers->fields[i]),
			       head_value(trailers, &trailers->fields[i]));
	trailers_clean(&x->trailers);
	if (x->guard && x->guard->out_on)
		filter_flush(&x->guard->out);
	if (x->stage == X_HOLD)
		judge_body(x);
	else if (x->stage == X_DRAIN)
		answer_start(x);
	else if (x->stage == X_OPEN && x->up)
		push_request(x);
}

/* ---- from the upstream */

static void answer_head(struct exchange *x, struct head *h, bool end)
{
	struct side *client = x->client;

	if (h->status == 101 && !x->upgrade) {
		answer_deny(x, 502, OSH_WHY_UPSTREAM_HTTP, "101 that nobody asked for", true);
		return;
	}
	answer_clean(h);
	if (!guard_answer(x, h)) {
		answer_deny(x, 502, OSH_WHY_ECHO, "in the head", true);
		return;
	}
	await(x, TIMER_IDLE);
	x->upgraded = h->status == 101;
	if (x->upgraded && x->ws && head_find(h, "sec-websocket-extensions", 0)) {
		answer_deny(x, 502, OSH_WHY_UPSTREAM_HTTP, "a WebSocket extension that nobody asked for", true);
		return;
	}
	if (x->upgraded)		/* the request ended; the tunnel has not */
		x->client_ended = x->request_sent = false;
	if (h->status < 200 && !x->upgraded) {
		if (x->head.version < 11 || x->interim++ >= INTERIM_MOST)
			return;
		client->ops->head(client, h, false);
		return;
	}
	x->answered = true;
	if (end) {
		release_upstream(x);
		exchange_over(x);
	}
	client->ops->head(client, h, end);
}

/* Gives the client what cannot be part of a secret any more. True = all of that is out. */
static bool push_answer(struct exchange *x)
{
	struct slice rest;

	while ((rest = filter_ready(&x->guard->in)).n) {
		size_t n = x->client->ops->body(x->client, rest);

		if (x->stage == X_OVER)
			return false;
		filter_passed(&x->guard->in, n);
		if (n < rest.n)
			return false;
	}
	return true;
}

static void withhold(struct exchange *x)
{
	if (!answer_event(x, OSH_DENY, OSH_WHY_ECHO, 0, "the rest of the answer was withheld"))
		x->fs->loop->stop = 1;	/* audit is gone: nothing goes on without it */
	exchange_cut(x, GONE_RESET);
}

static size_t guarded_answer(struct exchange *x, struct slice bytes)
{
	size_t n = filter_push(&x->guard->in, bytes);

	if (x->guard->in.found)
		withhold(x);
	else
		(void)push_answer(x);
	return n;
}

static void finish_answer(struct exchange *x, const struct head *trailers)
{
	struct side *client = x->client;
	struct head mine = { 0 };

	if (x->guard) {			/* the call below is the last thing that x sees */
		mine = x->guard->trailers;
		x->guard->trailers = (struct head){ 0 };
	}
	exchange_over(x);
	client->ops->end(client, mine.n_fields ? &mine : trailers);
	head_done(&mine);
}

/* Upstream is done; what the guard still holds goes out first, perhaps later. */
static void guarded_end(struct exchange *x, const struct head *trailers)
{
	struct guard *g = x->guard;

	filter_flush(&g->in);
	g->in_ended = true;
	for (uint32_t i = 0; trailers && i < trailers->n_fields; i++)
		(void)head_add(&g->trailers, head_name(trailers, &trailers->fields[i]),
			       head_value(trailers, &trailers->fields[i]));
	if (push_answer(x))
		finish_answer(x, NULL);
}

static void answer_end(struct exchange *x, const struct head *trailers)
{
	if (!guard_trailers(x, trailers)) {
		withhold(x);
		return;
	}
	release_upstream(x);
	if (x->guard && x->guard->in_on)
		guarded_end(x, trailers);
	else
		finish_answer(x, trailers);
}

/* One more try, where the request cannot have been processed or, by RFC 9110 9.2.2, may be sent twice. */
static bool try_again(const struct exchange *x, enum gone why)
{
	const char *m = head_str(&x->head, x->head.method);
	bool harmless = !strcmp(m, "GET") || !strcmp(m, "HEAD") || !strcmp(m, "OPTIONS") ||
			!strcmp(m, "PUT") || !strcmp(m, "DELETE");

	if (x->body_sent || x->answered || x->tries >= TRIES)
		return false;
	return why == GONE_REFUSED || (why == GONE_STALE && harmless);
}

static void upstream_gone(struct exchange *x, enum gone why)
{
	static const char *const words[] = {
		[GONE_RESET] = "the connection broke", [GONE_PROTOCOL] = "its answer breaks HTTP",
		[GONE_REFUSED] = "it refused the request unseen", [GONE_STALE] = "the connection ended",
		[GONE_TIMEOUT] = "no answer in time",
	};

	x->up = NULL;
	x->request_sent = false;
	if (try_again(x, why))
		exchange_open(x);
	else if (!x->answered)
		answer_deny(x, why == GONE_TIMEOUT ? 504 : 502, OSH_WHY_UPSTREAM_HTTP, words[why], true);
	else
		exchange_cut(x, GONE_RESET);
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
		client_head(x, h, end);
		x->in_client = false;
	} else if (from == x->up && !x->answered)
		answer_head(x, h, end);
}

size_t exchange_body(struct exchange *x, struct side *from, struct slice bytes)
{
	size_t n;

	if (is_client(x, from)) {
		x->in_client = true;
		n = client_body(x, bytes);
		x->in_client = false;
		return n;
	}
	if (from != x->up || !x->answered)
		return 0;
	await(x, TIMER_IDLE);
	return x->guard && x->guard->in_on ? guarded_answer(x, bytes) : x->client->ops->body(x->client, bytes);
}

void exchange_end(struct exchange *x, struct side *from, const struct head *trailers)
{
	if (is_client(x, from)) {
		x->in_client = true;
		client_end(x, trailers);
		x->in_client = false;
	} else if (from == x->up && x->answered)
		answer_end(x, trailers);
}

void exchange_writable(struct exchange *x, struct side *from)
{
	if (is_client(x, from) && x->stage == X_ANSWER)
		answer_push(x);
	else if (is_client(x, from) && x->guard && x->guard->in_on && !push_answer(x))
		return;			/* it comes again */
	else if (is_client(x, from) && x->guard && x->guard->in_ended)
		finish_answer(x, NULL);
	else if (is_client(x, from) && x->up)
		x->up->ops->resume(x->up);
	else if (from == x->up && x->stage == X_OPEN)
		push_request(x);
}

void exchange_gone(struct exchange *x, struct side *from, enum gone why)
{
	if (is_client(x, from)) {
		exchange_over(x);
	} else if (from == x->up) {
		from->x = NULL;
		upstream_gone(x, why);
	}
}
