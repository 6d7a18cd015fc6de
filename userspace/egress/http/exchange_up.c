/* SPDX-License-Identifier: Apache-2.0 */
/* What the client says, on its way to the upstream: held, searched or judged message by message where it must be. */
#include "flow.h"
#include "http/deny.h"
#include "http/exchange_parts.h"
#include "http/guard.h"
#include "http/inference.h"
#include "http/request.h"

static void end_request(struct exchange *x)
{
	const struct head *t = x->trailers.n_fields ? &x->trailers : NULL;

	x->request_sent = true;
	x->up->ops->end(x->up, t);
}

/* False: the upstream went away meanwhile, and with it perhaps the exchange. */
static bool give(struct exchange *x, struct slice bytes, size_t *ret_taken)
{
	struct side *up = x->up;

	*ret_taken = up->ops->body(up, bytes);
	return x->stage == X_OPEN && x->up == up;
}

/* Gives on what was held. True = all of it is out, the rest of the body may follow. */
static bool push_held(struct exchange *x)
{
	while (x->held_at < x->held.n) {
		struct slice rest = { x->held.p + x->held_at, x->held.n - x->held_at };
		size_t n;

		if (!give(x, rest, &n))
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
		size_t n;

		if (!give(x, rest, &n))
			return false;
		x->body_sent |= n > 0;
		filter_passed(&x->guard->out, n);
		if (n < rest.n)
			return false;
	}
	return true;
}

void up_push(struct exchange *x)
{
	if (x->request_sent || !push_held(x) || !push_guarded(x))
		return;
	if (x->client_ended)
		end_request(x);
	else
		exchange_resume(x);
}

void up_place(struct pool_wait *w, struct side *side, enum osh_reason why, const char *detail)
{
	struct exchange *x = container_of(w, struct exchange, wait);
	bool end;

	if (!side && inference_falls_back(x, NULL)) {
		x->stage = X_NEW;	/* it waits for nothing: this call was the end of that */
		judge_elsewhere(x);
		return;
	}
	if (!side) {
		answer_deny(x, deny_status(why), why, detail, false);
		return;
	}
	x->up = side;
	side->x = x;
	x->stage = X_OPEN;
	exchange_await(x, TIMER_IDLE);
	end = x->client_ended && !x->held.n && !x->trailers.n_fields;
	x->request_sent = end;
	x->counted.sent = true;
	side->ops->head(side, &x->head, end);
	if (x->stage == X_OPEN && x->up)
		up_push(x);
}

void exchange_open(struct exchange *x)
{
	struct pool_ask q = { .grant = x->inference ? x->inference->to : x->grant, .tls = exchange_tls(x), .http1 = x->upgrade,
			      .fresh = x->tries > 0, .cred = x->cred };

	x->stage = X_CONNECT;
	x->tries++;
	exchange_await(x, TIMER_HEAD);
	pool_get(x->fs, &q, &x->wait);
}

void up_head(struct exchange *x, struct head *h, bool end)
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
	size_t n, took = 0;

	do {
		n = filter_push(f, (struct slice){ bytes.p + took, bytes.n - took });
		took += n;
	} while (!f->found && push_guarded(x) && n && took < bytes.n);
	if (f->found && !x->answered)
		answer_deny(x, 403, OSH_WHY_PLACEHOLDER, "a placeholder in the body", true);
	else if (f->found)
		exchange_cut(x, GONE_RESET);
	return took;
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

	if (!exchange_current(x))
		return bytes.n;
	websocket_feed(x->ws, bytes);
	while (good && (step = websocket_next(x->ws, &out, &a, &why)) != WS_MORE) {
		good = step == WS_JUDGED && take_message(x, &a);
		if (step == WS_BROKEN)
			(void)answer_event(x, OSH_DENY, OSH_WHY_HTTP_BAD, 0, why);
	}
	exchange_held_drop(x);
	exchange_kept(x, websocket_kept(x->ws));
	if (good && !exchange_held_room(x, out.n)) {
		good = false;
		(void)answer_event(x, OSH_DENY, OSH_WHY_LIMIT, 0, "messages that wait for a judgement");
	}
	if (good && out.n)
		exchange_held_add(x, (struct slice){ out.p, out.n });
	buf_done(&out);
	if (!good || !buf_ok(&x->held))
		exchange_cut(x, GONE_RESET);
	else
		(void)push_held(x);
	return bytes.n;
}

size_t up_body(struct exchange *x, struct slice bytes)
{
	size_t n;

	if (x->stage == X_HOLD)
		return judge_hold(x, bytes);
	if (x->stage == X_DRAIN)
		return answer_drain(x, bytes);
	if (x->stage != X_OPEN || !x->up || x->held_at < x->held.n)
		return 0;
	exchange_await(x, TIMER_IDLE);
	if (x->ws && x->upgraded)
		return client_messages(x, bytes);
	if (x->guard && x->guard->out_on)
		return guarded_body(x, bytes);
	n = x->up->ops->body(x->up, bytes);
	x->body_sent |= n > 0;
	return n;
}

void up_end(struct exchange *x, const struct head *trailers)
{
	if (x->client_ended)
		return;
	x->client_ended = true;
	for (uint32_t i = 0; trailers && !x->inference && i < trailers->n_fields; i++)	/* a call of a model needs none */
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
		up_push(x);
}
