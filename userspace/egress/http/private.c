/* SPDX-License-Identifier: Apache-2.0 */
/* The policy's rules about content, for a call of a model: what it says is looked through, and replaced where a rule wants that. */
#include <stdio.h>
#include <string.h>

#include "flow.h"
#include "http/inference.h"
#include "infer/privacy.h"

/* ---- what was found */

static void say(const struct exchange *x, char *to, size_t room)
{
	static const char *const words[] = { [OSH_PRIVATE_REFUSE] = "refuse", [OSH_PRIVATE_REDACT] = "redact",
					     [OSH_PRIVATE_LOCAL] = "local" };
	const struct bundle *b = &x->grant->policy->bundle;
	const struct privacy *p = &x->inference->privacy;
	size_t n = 0;

	*to = 0;
	for (uint32_t i = 0; i < b->n_privacy && n < room; i++)
		if (p->found[i])
			n += (size_t)snprintf(to + n, room - n, "%srule %s (%s): %llu%s", n ? ", " : "",
					      bundle_str(b, b->privacy[i].name), words[b->privacy[i].action],
					      (unsigned long long)p->found[i],
					      p->stops & p->deep & 1u << i ? ", of it in an escaped or coloured text" : "");
}

const char *private_detail(const struct exchange *x)
{
	static char text[200];

	say(x, text, sizeof(text));
	return text;
}

/* ---- looking */

static enum osh_reason look_body(struct exchange *x, struct privacy *p, const char **detail)
{
	const struct bundle *b = &x->grant->policy->bundle;
	struct slice body = { x->held.p ? x->held.p : "", x->held.n };

	if (!body.n)
		return OSH_WHY_ALLOWED;
	*detail = "the body is no JSON object, or is coded";
	if (inference_coded(&x->head) || !top_is_object(body))
		return OSH_WHY_PRIVATE_UNCLEAR;
	*detail = "the body is not UTF-8";
	switch (privacy_look(b, body, x->inference->at, p)) {
	case PRIVACY_READ:
		return OSH_WHY_ALLOWED;
	case PRIVACY_UNCLEAR:
		return OSH_WHY_PRIVATE_UNCLEAR;
	case PRIVACY_NO_MEMORY:
		break;
	}
	*detail = "out of memory";
	return OSH_WHY_INTERNAL;
}

static uint64_t total(const struct exchange *x, const struct privacy *p)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i < x->grant->policy->bundle.n_privacy; i++)
		sum += p->found[i];
	return sum;
}

/* What else of the caller goes on: the path, and what of the query and the fields a call needs. */
static bool look_head(struct exchange *x, const char *path, struct privacy *p)
{
	const struct bundle *b = &x->grant->policy->bundle;
	struct buf fields = { 0 }, target = { 0 };
	uint64_t before = total(x, p);
	bool ok;

	buf_str(&target, path);
	inference_kept(x, &target, &fields);
	ok = buf_ok(&target) && buf_ok(&fields) &&
	     privacy_look_text(b, (struct slice){ target.p, target.n }, true, p) == PRIVACY_READ;
	x->inference->hidden |= !ok || total(x, p) != before;
	ok = ok && privacy_look_text(b, (struct slice){ fields.n ? fields.p : "", fields.n }, false, p) == PRIVACY_READ;
	buf_done(&target);
	buf_done(&fields);
	return ok;
}

/* The body's name for the model was counted with the body; here it is asked whether it may be on record. */
static bool look_name(struct exchange *x)
{
	struct inference *i = x->inference;
	struct slice name = x->held.n ? (struct slice){ x->held.p + i->at, i->was } : slice_of(i->asked);
	struct privacy alone = { 0 };

	if (!i->at)
		return true;
	if (privacy_look_text(&x->grant->policy->bundle, name, false, &alone) != PRIVACY_READ)
		return false;
	i->hidden |= total(x, &alone) != 0;
	return true;
}

/* The head first: what is refused for its body has its path on record, too. */
enum osh_reason private_look(struct exchange *x, const char *path, const char **detail)
{
	struct privacy *p = &x->inference->privacy;
	enum osh_reason why;

	if (!x->grant->policy->bundle.n_privacy)
		return OSH_WHY_ALLOWED;
	if (!look_head(x, path, p) || !look_name(x)) {
		*detail = "out of memory";
		return OSH_WHY_INTERNAL;
	}
	why = look_body(x, p, detail);
	if (why != OSH_WHY_ALLOWED)
		return why;
	if (!p->stops && p->spans > OSH_PRIVACY_SPANS) {
		*detail = "more is to be replaced in it than can be";
		return OSH_WHY_PRIVATE_UNCLEAR;
	}
	*detail = private_detail(x);
	return p->stops ? OSH_WHY_PRIVATE : OSH_WHY_ALLOWED;
}

/* Of what is no call and goes nowhere: its path goes on record all the same. */
void private_look_path(struct exchange *x, const char *path)
{
	struct privacy found = { 0 };

	if (x->grant->policy->bundle.n_privacy)
		(void)look_head(x, path, &found);
}

/* As the caller named the model, where the body has the backend's name for it. */
static const char *look_again(struct exchange *x, const char *path)
{
	struct inference *i = x->inference;
	bool named = i->at && x->held.n;
	const char *detail;
	enum osh_reason why;

	if (named && !inference_splice(x, i->at, strlen(i->model), slice_of(i->asked)))
		return "out of memory";
	why = private_look(x, path, &detail);
	if (named && !inference_splice(x, i->at, strlen(i->asked), slice_of(i->model)))
		return "out of memory";
	return why != OSH_WHY_ALLOWED || i->privacy.changes ? "a rule about content is about it now" : NULL;
}

/*
 * Where something was replaced the caller's words are gone: what of it is not sent yet cannot be judged. What was sent
 * stays judged, and a body that has been answered is not held any more.
 */
const char *private_again(struct exchange *x, const char *path)
{
	struct inference *i = x->inference;
	struct privacy was = i->privacy;
	const char *why;

	if (!x->grant->policy->bundle.n_privacy)
		return NULL;
	if (!x->hold_most && (!x->client_ended || x->body_sent))
		return "its body is to be judged now, and is on its way already";
	if (i->redacted && !x->request_sent)
		return "something in it was replaced; send it again";
	i->privacy = (struct privacy){ 0 };
	why = look_again(x, path);
	was.local |= i->privacy.local;
	i->privacy = was;
	return why;
}

/* ---- on record */

const char *private_path(const struct exchange *x)
{
	return x->inference && x->inference->hidden ? "[redacted]" : head_str(&x->head, x->shown);
}

const char *private_model(const struct exchange *x, const char *model)
{
	return *model && x->inference->hidden ? "[redacted]" : model;
}

/* ---- replacing */

bool private_redact(struct exchange *x)
{
	struct inference *i = x->inference;
	struct slice body = { x->held.p ? x->held.p : "", x->held.n };
	struct buf out = { .limit = OSH_INFERENCE_BODY };
	size_t at = i->at;

	if (!i->privacy.changes || i->redacted)
		return true;
	if (!privacy_redact(&x->grant->policy->bundle, body, i->at, &at, &out) ||
	    (out.n > body.n && !exchange_held_room(x, out.n - body.n))) {
		i->overgrown = out.full;
		buf_done(&out);
		return false;
	}
	i->at = i->at ? at : 0;
	x->fs->held = x->fs->held + out.n - x->held.n;
	buf_done(&x->held);
	x->held = out;
	x->held.limit = 0;
	i->redacted = true;
	return true;
}
