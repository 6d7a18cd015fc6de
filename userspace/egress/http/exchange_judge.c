/* SPDX-License-Identifier: Apache-2.0 */
/* From the head of a request to an upstream for it: what it says, what the rules say, what is sent on. */
#include "flow.h"
#include "http/deny.h"
#include "http/exchange_parts.h"
#include "http/guard.h"
#include "http/inference.h"
#include "http/request.h"
#include "http/token.h"
#include "text.h"

struct rules_request judge_question(const struct exchange *x)
{
	const struct head *h = &x->head;
	const struct field *type = head_find(h, "content-type", 0);
	struct rules_request q = { .method = head_str(h, h->method),
				   .target = slice_of(head_str(h, h->target)),
				   .upgrade = request_upgrades(h) };

	if (type)
		q.content_type = head_value(h, type);
	return q;
}

static void deny(struct exchange *x, enum osh_reason why, const char *detail)
{
	answer_deny(x, deny_status(why), why, detail, true);
}

/* What was judged is what is sent: the canonical path, and nothing that another server could read otherwise. */
static bool make_ready(struct exchange *x, const struct rules_answer *a)
{
	char length[24];

	x->upgrade = request_upgrades(&x->head);
	request_clean(&x->head, x->upgrade);
	/* First: a->query lies in the head's text, which moves when the head grows. */
	if (!request_target(&x->head, a->path, a->query))
		return false;
	if (x->hold_most) {
		snprintf(length, sizeof(length), "%zu", x->held.n);
		head_drop(&x->head, "expect");
		if (x->held.n || head_find(&x->head, "content-length", 0))
			(void)head_set(&x->head, "content-length", slice_of(length));
	}
	if (x->head.too_big)
		return false;
	x->shown = x->head.target;
	return true;
}

/* Where messages must be judged they must be readable: the server is offered no extension. */
static bool open_websocket(struct exchange *x, const struct rules_answer *a)
{
	const struct bundle *b = &x->grant->policy->bundle;

	websocket_free(x->ws);
	x->ws = NULL;
	if (!x->upgrade || !a->l7 || b->l7[a->l7 - 1].protocol != OSH_PROTO_WEBSOCKET)
		return true;
	if (!websocket_new(&x->ws, b, &x->grant->target, slice_of(head_str(&x->head, x->head.target))))
		return false;
	if (x->ws)
		head_drop(&x->head, "sec-websocket-extensions");
	return true;
}

/* A client that waits for permission to send the body gets it from us: upstream hears of it later. */
static void ask_for_body(struct exchange *x)
{
	const struct field *expect = head_find(&x->head, "expect", 0);
	struct head h = { .status = 100, .version = 11 };

	x->stage = X_HOLD;
	loop_arm(x->fs->loop, &x->timer, TIMER_HEAD);
	if (expect && x->head.version >= 11)
		x->client->ops->head(x->client, &h, false);
	if (x->stage == X_HOLD)
		exchange_resume(x);
}

/* False: it waits for one, or was refused for the lack of one. */
static bool has_token(struct exchange *x, const struct rules_answer *a)
{
	const struct bundle *b = &x->grant->policy->bundle;
	const char *credential = x->inference ? inference_provider(x) :
				 a->l7 ? bundle_str(b, b->l7[a->l7 - 1].credential) : "";
	enum token_state state = *credential ? token_need(x->fs, credential) : TOKEN_READY;

	if (state == TOKEN_FAILED) {
		deny(x, OSH_WHY_CREDENTIAL, "the provider's token endpoint gave no token");
	} else if (state == TOKEN_WAIT) {
		x->stage = X_TOKEN;
		loop_arm(x->fs->loop, &x->timer, TIMER_HEAD);
		TAILQ_INSERT_TAIL(&x->fs->tokens, x, link);
	}
	return state == TOKEN_READY;
}

/* Where no rule is about requests any more, a connection that is looked into still is. */
static void ask_rules(const struct exchange *x, const struct rules_request *q, struct rules_answer *a)
{
	const struct bundle *b = &x->grant->policy->bundle;
	const struct target *t = &x->grant->target;

	if (rules_inspect(b, t))
		rules_judge(b, t, q, a);
	else
		rules_pass(b, t, q, a);
}

/* True: it is held from now on, and decided when it is here. */
static bool holds(struct exchange *x, size_t most)
{
	if (most <= x->hold_most || x->hold_most || x->client_ended)
		return false;
	x->hold_most = most;
	ask_for_body(x);
	return true;
}

/* A call of a model gets its route. False: it waits for its body, or was refused. */
static bool route(struct exchange *x, const struct rules_answer *a)
{
	const char *detail;
	enum osh_reason why;

	if (!inference_is(x, a)) {
		inference_done(x);
		return true;
	}
	if (holds(x, inference_wants_body(x, a)))
		return false;
	why = inference_begin(x, a, &detail);
	if (why == OSH_WHY_ALLOWED)
		return true;
	x->shown = request_target(&x->head, a->path, a->query) ? x->head.target : x->shown;
	deny(x, why, detail);
	return false;
}

/* Everything was said and is on record; now it goes. */
static void send_on(struct exchange *x, const struct rules_answer *a)
{
	if (x->inference && !inference_reserve(x))
		deny(x, OSH_WHY_LIMIT, "records of calls under way");
	else if (!answer_event(x, a->verdict, a->why, 0, x->inference ? inference_detail(x) : ""))
		exchange_cut(x, GONE_RESET);
	else
		exchange_open(x);
}

/* The same request, as another backend has it: under way there on return, or refused. */
void judge_elsewhere(struct exchange *x)
{
	exchange_drop_upstream(x, GONE_RESET);
	exchange_unqueue(x);
	x->request_sent = x->body_sent = false;
	x->held_at = 0;
	x->tries = 0;
	limits_settle(x);
	if (!inference_next(x))
		deny(x, OSH_WHY_UPSTREAM_HTTP, "its backend failed, and no other can take it");
	else if (limits_pass(x, true))
		judge_elsewhere_on(x);
}

void judge_elsewhere_on(struct exchange *x)
{
	struct rules_answer a = { .verdict = OSH_ALLOW, .why = OSH_WHY_ALLOWED };
	const char *detail;
	enum osh_reason why;

	if (*inference_provider(x) && token_need(x->fs, inference_provider(x)) != TOKEN_READY) {
		deny(x, OSH_WHY_CREDENTIAL, "the next backend's token is not there yet");
		return;
	}
	if (!inference_rewrite(x)) {
		deny(x, OSH_WHY_INTERNAL, "the request grew too large");
		return;
	}
	why = guard_request(x, &a, &detail);
	if (why != OSH_WHY_ALLOWED)
		deny(x, why, detail);
	else
		send_on(x, &a);
}

static void decide(struct exchange *x)
{
	static struct rules_answer a;	/* large, and done with on return */
	struct rules_request q = judge_question(x);
	const char *detail;
	enum osh_reason why;

	q.body = (struct slice){ x->held.p ? x->held.p : "", x->held.n };
	ask_rules(x, &q, &a);
	x->rule = a.rule;
	x->line = a.line;
	why = a.why;
	if (a.verdict == OSH_DENY) {
		if (*a.path && request_target(&x->head, a.path, a.query))
			x->shown = x->head.target;	/* what was judged is on record */
		deny(x, why, "");
		return;
	}
	if (!route(x, &a) || !has_token(x, &a) || holds(x, guard_wants_body(x, &a)) || !limits_pass(x, false))
		return;
	if (!make_ready(x, &a)) {
		deny(x, OSH_WHY_INTERNAL, "the request grew too large");
		return;
	}
	if (x->inference && !inference_rewrite(x)) {
		if (x->inference->overgrown)
			answer_deny(x, TOO_LARGE, OSH_WHY_LIMIT, "with what is replaced in it the body is larger than a call may be", true);
		else
			deny(x, OSH_WHY_INTERNAL, "the request grew too large");
		return;
	}
	if (!open_websocket(x, &a)) {
		deny(x, OSH_WHY_INTERNAL, "out of memory");
		return;
	}
	why = guard_request(x, &a, &detail);
	if (why != OSH_WHY_ALLOWED) {
		deny(x, why, detail);
		return;
	}
	send_on(x, &a);
}

/* A body that is judged is read as it stands; what a server would decode first, it may read otherwise. */
static bool body_is_plain(const struct head *h)
{
	const struct field *coding = head_find(h, "content-encoding", 0);

	return (!coding || slice_is(head_value(h, coding), "identity")) &&
	       !head_find(h, "content-encoding", 1) && !head_find(h, "content-type", 1);
}

/*
 * By the policy in force, and by it alone: where another has come into force since the head was judged, the whole
 * request is judged anew. What is held of its body stays held.
 */
static void judge(struct exchange *x)
{
	bool holding = x->stage == X_HOLD;
	struct rules_request q;
	const char *detail;
	enum osh_reason why;
	size_t most;

	if (!conn_grant(x->c)) {
		deny(x, OSH_WHY_INTERNAL, "out of memory");
		return;
	}
	grant_move(&x->grant, x->c->grant);
	if (x->grant->why != OSH_WHY_ALLOWED) {
		x->shown = x->head.target;
		deny(x, OSH_WHY_REVOKED, reason_text(x->grant->why));
		return;
	}
	why = request_check(&x->head, x->c, &detail);
	x->shown = x->head.target;
	x->is_head = !strcmp(head_str(&x->head, x->head.method), "HEAD");
	if (why != OSH_WHY_ALLOWED) {
		deny(x, why, detail);
		return;
	}
	q = judge_question(x);
	most = rules_wants_body(&x->grant->policy->bundle, &x->grant->target, &q);
	if (most > x->hold_most)
		x->hold_most = most;
	if (most && !body_is_plain(&x->head)) {
		deny(x, OSH_WHY_PROTOCOL, "a coded body cannot be judged");
		return;
	}
	if (!x->hold_most || x->client_ended)
		decide(x);
	else if (!holding)
		ask_for_body(x);
}

/* What was replaced in its body is not there to be judged a second time. */
void judge_again(struct exchange *x)
{
	if (x->inference && x->inference->redacted) {
		exchange_revoke(x, "something in it was replaced; send it again");
		return;
	}
	if (x->stage != X_HOLD) {
		exchange_unqueue(x);
		x->stage = X_NEW;
	}
	judge(x);
}

/* The head was judged; now the rest of it, by the same policy. */
static void go_on(struct exchange *x)
{
	if (generation_now(&x->fs->policies) == x->grant->policy)
		decide(x);
	else
		judge_again(x);
}

void judge_begin(struct exchange *x)
{
	if (records_reserve(&x->fs->records)) {
		x->reserved = true;
		judge(x);
		return;
	}
	x->stage = X_RECORD;
	TAILQ_INSERT_TAIL(&x->fs->waiting, x, link);
}

void exchange_resume_all(struct flows *fs)
{
	struct exchange *x;

	while ((x = TAILQ_FIRST(&fs->waiting)) && records_reserve(&fs->records)) {
		TAILQ_REMOVE(&fs->waiting, x, link);
		x->stage = X_NEW;
		x->reserved = true;
		judge(x);
	}
}

/* Each looks again; who still has to wait joins the end, and is not looked at twice. */
static void on_tokens(struct timer *t)
{
	struct flows *fs = container_of(t, struct flows, token_timer);
	struct exchange *x;
	unsigned n = 0;

	TAILQ_FOREACH(x, &fs->tokens, link)
		n++;
	while (n-- && (x = TAILQ_FIRST(&fs->tokens))) {
		TAILQ_REMOVE(&fs->tokens, x, link);
		x->stage = X_NEW;
		go_on(x);
	}
}

void exchanges_init(struct flows *fs)
{
	TAILQ_INIT(&fs->exchanges);
	TAILQ_INIT(&fs->across.asked);
	TAILQ_INIT(&fs->waiting);
	TAILQ_INIT(&fs->tokens);
	fs->token_timer.fn = on_tokens;
	limits_init(fs);
}

size_t judge_hold(struct exchange *x, struct slice bytes)
{
	if (bytes.n > x->hold_most - x->held.n) {
		answer_deny(x, TOO_LARGE, OSH_WHY_LIMIT, "the body is larger than what is read to judge it", true);
		return bytes.n;
	}
	if (!exchange_held_room(x, bytes.n)) {
		deny(x, OSH_WHY_LIMIT, "bodies that wait for a judgement");
		return bytes.n;
	}
	exchange_held_add(x, bytes);
	if (buf_ok(&x->held))
		return bytes.n;
	deny(x, OSH_WHY_INTERNAL, "out of memory");
	return bytes.n;
}

void judge_body(struct exchange *x)
{
	go_on(x);
}
