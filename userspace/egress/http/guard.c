/* SPDX-License-Identifier: Apache-2.0 */
#include "http/guard.h"

#include <stdlib.h>

#include "flow.h"
#include "http/inference.h"
#include "secret.h"

static struct cred_ask ask_of(const struct exchange *x, const struct rules_answer *a)
{
	static const int signing[] = { [OSH_SIGN_NONE] = CRED_SIGN_RECORD, [OSH_SIGN_SIGV4] = CRED_SIGN_RECORD,
				       [OSH_SIGN_SIGV4_BODY] = CRED_SIGN_BODY,
				       [OSH_SIGN_SIGV4_NO_BODY] = CRED_SIGN_NO_BODY };
	const struct bundle *b = &x->grant->policy->bundle;
	const struct target *t = exchange_target(x);
	const struct osh_b_l7 *l7 = a->l7 ? &b->l7[a->l7 - 1] : NULL;
	const char *query = strchr(head_str(&x->head, x->head.target), '?');
	struct cred_ask q = { .host = t->name, .port = t->port, .tls = exchange_tls(x),
			      .method = head_str(&x->head, x->head.method), .path = a->path };

	if (query)
		q.query = slice_of(query + 1);
	if (x->hold_most)
		q.body = (struct slice){ x->held.p ? x->held.p : "", x->held.n };
	if (x->inference) {		/* its route has its own */
		q.path = x->inference->path;
		q.credential = *inference_provider(x) ? inference_provider(x) : NULL;
		return q;
	}
	if (l7 && l7->credential)
		q.credential = bundle_str(b, l7->credential);
	if (l7 && l7->signing != OSH_SIGN_NONE) {
		q.signing = signing[l7->signing];
		q.service = l7->signing_service ? bundle_str(b, l7->signing_service) : NULL;
		q.region = l7->signing_region ? bundle_str(b, l7->signing_region) : NULL;
	}
	q.rewrite_body = l7 && (l7->flags & OSH_L7_BODY_REWRITE);
	return q;
}

size_t guard_wants_body(const struct exchange *x, const struct rules_answer *a)
{
	struct cred_ask q = ask_of(x, a);

	return x->fs->creds ? creds_wants_body(x->fs->creds, &q) : 0;
}

static int start(struct exchange *x)
{
	int r;

	x->guard = calloc(1, sizeof(*x->guard));
	if (!x->guard)
		return -ENOMEM;
	if (x->hold_most || x->client_ended)
		return 0;		/* what was held is searched whole */
	r = filter_start(&x->guard->out, x->fs->creds, FILTER_REQUEST, exchange_target(x)->name);
	x->guard->out_on = r > 0;
	return r;
}

/* What is sent in place of the body that was held. */
static bool replace_body(struct exchange *x, struct buf *body)
{
	char length[24];

	exchange_held_drop(x);
	exchange_held_add(x, (struct slice){ body->p, body->n });
	snprintf(length, sizeof(length), "%zu", body->n);
	return buf_ok(&x->held) && head_set(&x->head, "content-length", slice_of(length));
}

enum osh_reason guard_request(struct exchange *x, const struct rules_answer *a, const char **detail)
{
	struct cred_ask q = ask_of(x, a);
	struct buf body = { 0 };
	enum osh_reason why;
	bool changed = false;

	*detail = "";
	if (!x->fs->creds && !q.credential)
		return OSH_WHY_ALLOWED;
	if (x->fs->creds && start(x) < 0)
		return OSH_WHY_INTERNAL;
	if (q.credential && x->guard && !head_dup(&x->guard->before, &x->head))
		return OSH_WHY_INTERNAL;
	why = creds_apply(x->fs->creds, &q, &x->head, &body, &changed, detail);
	if (why == OSH_WHY_ALLOWED && changed && !replace_body(x, &body))
		why = OSH_WHY_INTERNAL;
	if (x->guard)
		x->guard->rewritten = changed;
	if (why == OSH_WHY_ALLOWED && q.credential)
		x->cred = creds_number(x->fs->creds, q.credential);
	if (body.p)
		secret_wipe(body.p, body.cap);
	buf_done(&body);
	return why;
}

bool guard_answer(struct exchange *x, const struct head *h)
{
	int r;

	if (!x->guard)
		return true;
	if (creds_said(x->fs->creds, h))
		return false;
	if (h->status < 200 && h->status != 101)
		return true;
	r = filter_start(&x->guard->in, x->fs->creds, FILTER_ANSWER, exchange_target(x)->name);
	x->guard->in_on = r > 0;
	return r >= 0;
}

bool guard_trailers(const struct exchange *x, const struct head *trailers)
{
	return !x->guard || !trailers || !creds_said(x->fs->creds, trailers);
}

bool guard_undo(struct exchange *x)
{
	struct guard *g = x->guard;

	if (g && g->rewritten)
		return false;
	if (g && g->before.n_text) {
		head_done(&x->head);
		x->head = g->before;
		g->before = (struct head){ 0 };
	}
	guard_done(x);
	x->cred = 0;
	return true;
}

uint32_t guard_credential(const struct exchange *x, const struct rules_answer *a)
{
	struct cred_ask q = ask_of(x, a);

	return q.credential && x->fs->creds ? creds_number(x->fs->creds, q.credential) : 0;
}

void guard_done(struct exchange *x)
{
	if (!x->guard)
		return;
	filter_done(&x->guard->out);
	filter_done(&x->guard->in);
	head_done(&x->guard->trailers);
	head_done(&x->guard->before);
	free(x->guard);
	x->guard = NULL;
}
