/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests under way when another policy comes into force. One of which nothing was sent is judged anew, whole,
 * as if it came now. One that is on its way, or whose answer is, may finish where the policy in force would allow
 * it too; else it ends, with its record. What cannot be looked at a second time, a body that was judged and went,
 * stays judged by the policy that let it go.
 */
#include "flow.h"
#include "http/exchange_parts.h"
#include "http/guard.h"
#include "http/inference.h"
#include "http/token.h"
#include "text.h"

void exchange_revoke(struct exchange *x, const char *detail)
{
	if (!x->answered) {
		answer_deny(x, 403, OSH_WHY_REVOKED, detail, true);
		return;
	}
	(void)answer_event(x, OSH_DENY, OSH_WHY_REVOKED, 0, detail);	/* it ends either way */
	exchange_cut(x, GONE_RESET);
}

/* The request as it was when it was judged: its target without a credential. */
static struct rules_request question(const struct exchange *x)
{
	struct rules_request q = judge_question(x);

	q.target = slice_of(head_str(&x->head, x->shown));
	q.upgrade = x->upgrade;
	return q;
}

static bool has_body(const struct exchange *x)
{
	return !x->upgraded && (!x->client_ended || x->body_sent || x->hold_most);
}

/* NULL = it may go on; else what is in the way. *ret says what the rules say, as far as they can. */
static const char *obstacle(struct exchange *x, struct rules_answer *ret)
{
	const struct bundle *b = &x->grant->policy->bundle;
	const struct target *t = &x->grant->target;
	struct rules_request q = question(x);

	*ret = (struct rules_answer){ .verdict = OSH_ALLOW, .why = OSH_WHY_ALLOWED };
	if (!rules_inspect(b, t))
		return NULL;
	if (has_body(x) && rules_wants_body(b, t, &q))
		return x->hold_most ? NULL : "its body is to be judged now, and is on its way already";
	rules_judge(b, t, &q, ret);
	return ret->verdict == OSH_DENY ? reason_text(ret->why) : NULL;
}

/* Messages are judged from the first byte of a WebSocket on, or never. */
static const char *messages(struct exchange *x, const struct rules_answer *a)
{
	const struct bundle *b = &x->grant->policy->bundle;
	const struct target *t = &x->grant->target;
	bool judged = a->l7 && b->l7[a->l7 - 1].protocol == OSH_PROTO_WEBSOCKET;
	struct websocket *w = NULL;
	bool ok = true;

	if (x->ws)
		websocket_again(x->ws, b, t, judged);
	else if (x->upgrade && judged)
		ok = websocket_new(&w, b, t, slice_of(head_str(&x->head, x->shown))) && !w;
	websocket_free(w);
	return ok ? NULL : "its messages are to be judged now";
}

static void reconsider(struct exchange *x)
{
	static struct rules_answer a;	/* large, and done with on return */
	const char *why = obstacle(x, &a);
	bool same;

	if (!why)
		why = messages(x, &a);
	if (!why && x->inference)
		why = inference_again(x, &a);
	else if (!why && inference_is(x, &a))
		why = "it is a call of a model now, and went another way";
	if (why) {
		exchange_revoke(x, why);
		return;
	}
	x->rule = a.rule;
	x->line = a.line;
	/* What was sent with a credential cannot be taken back; it is not sent a second time. */
	same = guard_credential(x, &a) == x->cred;
	x->last_try |= !same;
	if (!same && x->upgraded)
		exchange_revoke(x, "its credential is not given any more");
}

/* It waits for a connection: nothing of it was sent. */
static void begin_anew(struct exchange *x)
{
	exchange_unqueue(x);
	if (x->body_sent || !guard_undo(x) || !inference_undo(x))
		exchange_revoke(x, "send it again");
	else
		judge_again(x);
}

/* A request of our own, for a token. */
static void own_again(struct exchange *x)
{
	struct generation *p = x->fs->policies.now;
	struct grant *g = token_wanted(x, &p->bundle) ? grant_own(p, &x->grant->target) : NULL;

	if (!g) {
		exchange_cut(x, GONE_RESET);
		return;
	}
	grant_move(&x->c->grant, g);
	grant_move(&x->grant, g);
	x->wait.grant = g;
	grant_put(g);
}

void exchange_again(struct exchange *x)
{
	if (!x->c->listed) {
		own_again(x);
		return;
	}
	grant_move(&x->grant, x->c->grant);
	if (x->stage == X_HOLD || x->stage == X_TOKEN || x->stage == X_LIMIT)
		judge_again(x);
	else if (x->stage == X_CONNECT)
		begin_anew(x);
	else if (x->stage == X_OPEN)
		reconsider(x);
}

/* What was sent finishes with what it was sent with, and is not sent a second time. */
void exchange_creds(struct exchange *x)
{
	if (!x->c->listed) {
		if (!token_current(x))
			exchange_cut(x, GONE_RESET);
	} else if (x->cred && !creds_has(x->fs->creds, x->cred)) {
		if (x->stage == X_CONNECT)
			begin_anew(x);
		else
			x->last_try = true;
	}
}

/* Between the kernel's flip and the sweep: who asks in the middle of a stream. */
bool exchange_current(struct exchange *x)
{
	if (generation_now(&x->fs->policies) == x->grant->policy)
		return true;
	if (!conn_grant(x->c) || x->c->grant->why != OSH_WHY_ALLOWED) {
		exchange_revoke(x, reason_text(x->c->grant->why));
		return false;
	}
	exchange_again(x);
	return x->stage == X_OPEN;
}
