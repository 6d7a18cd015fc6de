/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions about requests on record, and the answers that the egress gives itself. */
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "flow.h"
#include "http/deny.h"
#include "http/exchange_parts.h"
#include "http/inference.h"

#define DRAIN_MOST (64u << 20)

static void copy(char *to, size_t room, const char *from, size_t n, uint16_t *flags)
{
	if (n >= room) {
		n = room - 1;
		*flags |= OSH_HTTP_CUT;
	}
	memcpy(to, from, n);
	to[n] = 0;
}

static size_t path_len(const char *target)
{
	return strcspn(target, "?");
}

static uint32_t hash(const char *s, size_t n, uint32_t h)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)s[i]) * 16777619u;
	return h;
}

static bool record(struct conn *c, struct osh_event_named *ev, const char *method, const char *target,
		   struct osh_http *http)
{
	size_t n = path_len(target);

	ev->ev.kind = OSH_EV_HTTP;
	ev->ev.port = c->grant->target.port;
	ev->ev.aux = hash(target, n, hash(method, strlen(method) + 1, 2166136261u));
	http->flags |= c->tls ? OSH_HTTP_TLS : 0;
	copy(http->method, sizeof(http->method), method, strlen(method), &http->flags);
	copy(http->path, sizeof(http->path), target, n, &http->flags);
	return records_put_http(&c->fs->records, ev, http);
}

bool answer_event(struct exchange *x, enum osh_verdict v, enum osh_reason why, int status, const char *detail)
{
	struct osh_event_named ev = event_of(x->grant, v, why, NULL, 0);
	struct osh_http http = { .status = (uint16_t)status };

	if (!x->reserved && !records_reserve_last(&x->fs->records))
		return false;
	x->reserved = false;
	if (x->rule)
		ev.ev.rule = x->rule;
	snprintf(http.detail, sizeof(http.detail), "%s", detail);
	return record(x->c, &ev, head_str(&x->head, x->head.method), private_path(x), &http);
}

static void event_of_conn(struct conn *c, enum osh_reason why, int status, const char *detail)
{
	struct osh_event_named ev = event_of(c->grant, OSH_DENY, why, NULL, 0);
	struct osh_http http = { .status = (uint16_t)status };

	if (!records_reserve_last(&c->fs->records))
		return;			/* audit is behind by a thousand records; this one is refused anyway */
	snprintf(http.detail, sizeof(http.detail), "%s", detail);
	(void)record(c, &ev, "", "", &http);
}

static void body_of_conn(struct conn *c, enum osh_reason why, const char *detail, struct buf *body)
{
	struct deny d = { .why = why, .grant = c->grant, .detail = detail,
			  .method = "", .path = "", .tls = c->tls };

	if (body)
		deny_body(body, &d);
}

void conn_bad_request(struct conn *c, int status, const char *why, struct buf *body)
{
	event_of_conn(c, OSH_WHY_HTTP_BAD, status, why);
	body_of_conn(c, OSH_WHY_HTTP_BAD, why, body);
}

void conn_refusal(struct conn *c, struct buf *body)
{
	body_of_conn(c, OSH_WHY_LIMIT, "requests under way", body);
}

void conn_limit(struct conn *c)
{
	event_of_conn(c, OSH_WHY_LIMIT, 503, "requests under way");
}

/* The client's last words are said by the call that ends the exchange. */
static void finish(struct exchange *x)
{
	struct side *client = x->client;

	exchange_over(x);
	client->ops->end(client, NULL);
}

void answer_push(struct exchange *x)
{
	while (x->held_at < x->held.n) {
		struct slice rest = { x->held.p + x->held_at, x->held.n - x->held_at };
		size_t n = x->client->ops->body(x->client, rest);

		if (x->stage != X_ANSWER)
			return;
		x->held_at += n;
		if (n < rest.n)
			return;		/* exchange_writable() comes */
	}
	finish(x);
}

void answer_start(struct exchange *x)
{
	struct head h = { .status = x->status, .version = 11 };
	struct side *client = x->client;
	char length[24], retry[16];
	bool end = x->is_head;

	snprintf(length, sizeof(length), "%zu", x->held.n);
	snprintf(retry, sizeof(retry), "%u", x->retry_s);
	if ((x->retry_s && !head_add(&h, SLICE("retry-after"), slice_of(retry))) ||
	    !head_add(&h, SLICE("content-type"), SLICE("application/json")) ||
	    !head_add(&h, SLICE("content-length"), slice_of(length))) {
		head_done(&h);
		exchange_cut(x, GONE_RESET);
		return;
	}
	x->stage = X_ANSWER;
	x->answered = true;
	loop_arm(x->fs->loop, &x->timer, TIMER_HEAD);
	if (end)
		exchange_over(x);
	client->ops->head(client, &h, end);
	head_done(&h);
	if (!end && x->stage == X_ANSWER)
		answer_push(x);
}

/*
 * Many clients take an answer in the middle of their request for a broken connection. So a body that is
 * not huge and on its way is taken first; one that pauses, or that waits for a 100, is not waited for.
 */
static bool drains(const struct exchange *x)
{
	return !x->client_ended && !head_find(&x->head, "expect", 0);
}

size_t answer_drain(struct exchange *x, struct slice bytes)
{
	x->drained += (uint32_t)bytes.n;
	if (x->drained > DRAIN_MOST)
		answer_start(x);
	else
		loop_arm(x->fs->loop, &x->timer, TIMER_GRACE);
	return bytes.n;
}

void answer_deny(struct exchange *x, int status, enum osh_reason why, const char *detail, bool event)
{
	char *path = strdup(private_path(x));
	struct deny d = { .why = why, .grant = x->grant, .detail = detail,
			  .rule = x->rule, .line = x->line, .path = path ? path : "",
			  .method = head_str(&x->head, x->head.method), .tls = x->c->tls, .large = status == TOO_LARGE };

	if (path)
		path[path_len(path)] = 0;
	if (event && !answer_event(x, OSH_DENY, why, status, detail)) {
		free(path);
		exchange_cut(x, GONE_RESET);
		return;
	}
	exchange_drop_upstream(x, GONE_RESET);
	exchange_unqueue(x);
	exchange_held_drop(x);
	deny_body(&x->held, &d);
	free(path);
	x->stage = X_DRAIN;
	x->status = (uint16_t)status;
	if (!buf_ok(&x->held)) {
		exchange_cut(x, GONE_RESET);
	} else if (drains(x)) {
		loop_arm(x->fs->loop, &x->timer, TIMER_GRACE);
		exchange_resume(x);
	} else {
		answer_start(x);
	}
}
