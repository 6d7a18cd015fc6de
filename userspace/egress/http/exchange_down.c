/* SPDX-License-Identifier: Apache-2.0 */
/* What the upstream says, on its way to the client; and what becomes of a request when the upstream goes away. */
#include "flow.h"
#include "http/exchange_parts.h"
#include "http/guard.h"
#include "http/inference.h"
#include "http/request.h"

#define INTERIM_MOST 16
#define TRIES 2
#define TRIES_REFUSED 8			/* many requests share a connection that is about to end, and the next one too */

/* It has the whole request and gave the whole answer: nothing to abort. An upgraded one never ends so. */
static void release_upstream(struct exchange *x)
{
	if (!x->up || !x->request_sent || x->upgraded)
		return;
	x->up->x = NULL;
	x->up = NULL;
}

void down_head(struct exchange *x, struct head *h, bool end)
{
	struct side *client = x->client;

	if (h->status == 101 && !x->upgrade) {
		answer_deny(x, 502, OSH_WHY_UPSTREAM_HTTP, "101 that nobody asked for", true);
		return;
	}
	if (inference_falls_back(x, h)) {
		judge_elsewhere(x);
		return;
	}
	answer_clean(h);
	if (!guard_answer(x, h)) {
		answer_deny(x, 502, OSH_WHY_ECHO, "in the head", true);
		return;
	}
	if (x->inference)
		inference_answer(x, h);
	exchange_await(x, TIMER_IDLE);
	x->upgraded = h->status == 101;
	if (x->upgraded && (x->ws || (x->guard && x->guard->in_on)) &&
	    head_find(h, "sec-websocket-extensions", 0)) {
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
	if (x->inference)
		x->inference->whole = end;
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
	size_t n, took = 0;

	do {
		n = filter_push(&x->guard->in, (struct slice){ bytes.p + took, bytes.n - took });
		took += n;
		if (x->guard->in.found) {
			withhold(x);
			return took;
		}
	} while (push_answer(x) && n && took < bytes.n);	/* less than all is taken only where room will follow */
	return took;
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

void down_end(struct exchange *x, const struct head *trailers)
{
	if (!guard_trailers(x, trailers)) {
		withhold(x);
		return;
	}
	release_upstream(x);
	if (x->inference)
		x->inference->whole = true;
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

	if (x->body_sent || x->answered || x->last_try)
		return false;
	return (why == GONE_REFUSED && x->tries < TRIES_REFUSED) ||
	       (why == GONE_STALE && x->tries < TRIES && harmless);
}

/* What an upstream has refused unseen we cannot repeat once its body went through; a client of HTTP/2 can. */
static bool client_tries(const struct exchange *x, enum gone why)
{
	return why == GONE_REFUSED && !x->answered && x->head.version == 20;
}

void down_gone(struct exchange *x, enum gone why)
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
	else if (!x->answered && inference_falls_back(x, NULL))
		judge_elsewhere(x);
	else if (client_tries(x, why) &&
		 answer_event(x, OSH_DENY, OSH_WHY_UPSTREAM_HTTP, 0, words[why]))
		exchange_cut(x, why);
	else if (!x->answered)
		answer_deny(x, why == GONE_TIMEOUT ? 504 : 502, OSH_WHY_UPSTREAM_HTTP, words[why], true);
	else
		exchange_cut(x, GONE_RESET);
}

size_t down_body(struct exchange *x, struct slice bytes)
{
	size_t n;

	exchange_await(x, TIMER_IDLE);
	if (x->guard && x->guard->in_on)
		n = guarded_answer(x, bytes);
	else
		n = x->client->ops->body(x->client, bytes);
	if (x->inference && x->stage != X_OVER)	/* what went on, as it went: no byte waits to be counted */
		inference_bytes(x, (struct slice){ bytes.p, n });
	return n;
}

void down_writable(struct exchange *x)
{
	if (x->guard && x->guard->in_on && !push_answer(x))
		return;			/* it comes again */
	if (x->guard && x->guard->in_ended)
		finish_answer(x, NULL);
	else if (x->up)
		x->up->ops->resume(x->up);
}
