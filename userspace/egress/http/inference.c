/* SPDX-License-Identifier: Apache-2.0 */
#include "http/inference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event.h"
#include "flow.h"
#include "http/guard.h"
#include "model_name.h"

#define REST_MS 10000			/* a backend that failed is asked again after that */
#define PATH_ROOM (4096 + 256 + 3 * OSH_MODEL_LEN + 1)

static const struct osh_b_route *route_of(const struct exchange *x)
{
	return &x->grant->policy->bundle.routes[x->inference->route - 1];
}

bool inference_is(const struct exchange *x, const struct rules_answer *a)
{
	return a->l7 && (x->grant->policy->bundle.l7[a->l7 - 1].flags & OSH_L7_INFERENCE);
}

const char *inference_provider(const struct exchange *x)
{
	return bundle_str(&x->grant->policy->bundle, route_of(x)->provider);
}

const char *inference_detail(const struct exchange *x)
{
	static char text[OSH_ROUTE_NAME + OSH_MODEL_LEN + 200];
	const char *found = private_detail(x);

	snprintf(text, sizeof(text), "%s%sroute %s%s%s", found, *found ? "; " : "", x->inference->name, x->inference->model[0] ? ", model " : "",
		 private_model(x, x->inference->model));
	return text;
}

static bool names_in_body(enum osh_shape shape)
{
	return shape_model(shape) == OSH_MODEL_BODY || shape_model(shape) == OSH_MODEL_OPTIONAL;
}

size_t inference_wants_body(const struct exchange *x, const struct rules_answer *a)
{
	struct slice model;
	enum osh_shape shape = shape_of(head_str(&x->head, x->head.method), a->path, &model);

	if (!inference_is(x, a) || !shape)
		return 0;
	return x->grant->policy->bundle.n_privacy || names_in_body(shape) || limits_read(&x->grant->policy->bundle, shape) ? OSH_INFERENCE_BODY : 0;
}

/* A body that is not read as it stands may say another model to who decodes it. */
bool inference_coded(const struct head *h)
{
	const struct field *f = head_find(h, "content-encoding", 0);

	return (f && !slice_is(head_value(h, f), "identity")) || head_find(h, "content-encoding", 1);
}

/* ---- backends that failed */

static uint64_t *resting(const struct exchange *x)
{
	uint32_t generation = x->grant->policy->table.generation;

	if (x->fs->resting_of != generation) {
		memset(x->fs->resting, 0, sizeof(x->fs->resting));
		x->fs->balance = (struct balance){ 0 };
	}
	x->fs->resting_of = generation;
	return x->fs->resting;
}

static uint64_t resting_mask(const struct exchange *x)
{
	const uint64_t *until = resting(x);
	uint64_t mask = 0;

	for (uint32_t i = 0; i < OSH_INFERENCE_ROUTES; i++)
		mask |= (uint64_t)(until[i] > x->fs->loop->now_ms) << i;
	return mask;
}

/* ---- the load */

/* Calls under way by the same policy, where their number matters. */
static const struct balance *load(const struct exchange *x)
{
	const struct generation *policy = x->grant->policy;
	struct balance *to = &x->fs->balance;
	const struct exchange *o;

	memset(to->busy, 0, sizeof(to->busy));
	if (policy->bundle.inference->fallback == OSH_FALLBACK_LEAST_BUSY)
		TAILQ_FOREACH(o, &x->fs->exchanges, under_way)
			if (o != x && o->inference && o->inference->to && o->inference->to->policy == policy)
				to->busy[o->inference->route - 1]++;
	return to;
}

/* ---- the route */

/* Which model the caller asks for. */
static bool read_model(struct exchange *x, struct route_ask *q)
{
	struct inference *i = x->inference;
	struct slice body = { x->held.p ? x->held.p : "", x->held.n };

	if (!names_in_body(q->shape))
		return true;
	if (inference_coded(&x->head))
		return false;
	switch (top_find(body, "model", &i->at, &i->was)) {
	case TOP_BAD:
		return false;
	case TOP_ABSENT:
		i->at = 0;
		return true;
	case TOP_TEXT:
		q->model = (struct slice){ body.p + i->at, i->was };
		return true;
	}
	return false;
}

/* The same program, and the backend in the place of where it connected. */
static bool find_backend(struct exchange *x, uint32_t route)
{
	const struct bundle *b = &x->grant->policy->bundle;
	const struct osh_b_route *r = &b->routes[route - 1];
	struct target t = { .ident = x->grant->target.ident, .tainted = x->grant->target.tainted, .host = r->host,
			    .port = (uint16_t)r->port, .rule = r->rule + 1, .local = r->flags & OSH_ROUTE_LOCAL,
			    .sandbox = r->flags & OSH_ROUTE_SANDBOX };

	snprintf(t.name, sizeof(t.name), "%s", bundle_str(b, b->hosts[r->host - 1].name));
	x->inference->to = grant_own(x->grant->policy, &t);
	return x->inference->to != NULL;
}

/* kept: the route that it had been given before. */
static bool settle(struct exchange *x, const struct routed *to, uint32_t kept, const char *path)
{
	struct inference *i = x->inference;
	const struct bundle *b = &x->grant->policy->bundle;
	const struct osh_b_route *r = &b->routes[to->route - 1];
	static char room[PATH_ROOM];

	if (to->route != kept)
		balance_took(b, &x->fs->balance, to->route);
	if (!shape_path(i->shape, path, to->model, bundle_str(b, r->path), room, sizeof(room)))
		return false;
	i->path = strdup(room);
	i->route = to->route;
	i->plain = r->flags & OSH_ROUTE_PLAIN;
	memcpy(i->model, to->model, sizeof(i->model));
	snprintf(i->name, sizeof(i->name), "%s", bundle_str(b, r->name));
	i->began_ms = x->fs->loop->now_ms;
	return i->path && find_backend(x, to->route);
}

enum osh_reason inference_begin(struct exchange *x, const struct rules_answer *a, const char **detail)
{
	static char text[OSH_MODEL_LEN + 16];
	struct route_ask q = { .anthropic = head_find(&x->head, "anthropic-version", 0), .resting = resting_mask(x),
			       .chosen = x->fs->choice.route, .instead = x->fs->choice.model };
	struct routed to;
	enum osh_reason why;
	struct inference *i;

	*detail = "";
	q.kept = x->inference && x->inference->to && x->inference->to->policy == x->grant->policy ? x->inference->route : 0;
	inference_done(x);
	q.balance = load(x);
	i = x->inference = calloc(1, sizeof(*i));
	if (!i)
		return OSH_WHY_INTERNAL;
	q.shape = i->shape = x->upgrade || head_find(&x->head, "upgrade", 0) ? OSH_SHAPE_NOT :
			     shape_of(head_str(&x->head, x->head.method), a->path, &q.model);
	i->anthropic = q.anthropic;
	if (i->shape && !read_model(x, &q))
		return OSH_WHY_MODEL_UNCLEAR;
	if (!i->shape)
		private_look_path(x, a->path);
	why = i->shape ? private_look(x, a->path, detail) : OSH_WHY_ALLOWED;
	if (why != OSH_WHY_ALLOWED)
		return why;
	q.local = i->privacy.local;
	why = route_choose(&x->grant->policy->bundle, &q, &to);
	if (q.model.p && model_name_is(q.model)) {
		memcpy(i->asked, q.model.p, q.model.n);
		snprintf(text, sizeof(text), "model %s", private_model(x, i->asked));
		*detail = text;
	}
	if (why == OSH_WHY_NO_ROUTE && q.local)
		*detail = private_detail(x);
	if (why != OSH_WHY_ALLOWED)
		return why;
	i->caller_path = strdup(a->path);
	return i->caller_path && settle(x, &to, q.kept, a->path) ? OSH_WHY_ALLOWED : OSH_WHY_INTERNAL;
}

/* ---- the request */

#define NAME(s) { s, sizeof(s) - 1 }
static const struct {
	struct slice name;
	uint32_t apis;
} passed[] = {
	{ NAME("accept"), OSH_APIS },		   { NAME("content-type"), OSH_APIS },
	{ NAME("content-length"), OSH_APIS },	   { NAME("user-agent"), OSH_APIS },
	{ NAME("anthropic-version"), OSH_API_ANTHROPIC }, { NAME("anthropic-beta"), OSH_API_ANTHROPIC },
	{ NAME("openai-beta"), OSH_API_OPENAI },   { NAME("openai-organization"), OSH_API_OPENAI },
	{ NAME("openai-project"), OSH_API_OPENAI }, { NAME("x-amzn-bedrock-accept"), OSH_API_BEDROCK },
	{ NAME("x-amzn-bedrock-trace"), OSH_API_BEDROCK },
};
static const struct slice queries[] = { NAME("beta"), NAME("limit"), NAME("after_id"), NAME("before_id") };

static bool is_passed(struct slice name, uint32_t api)
{
	for (size_t k = 0; k < sizeof(passed) / sizeof(passed[0]); k++)
		if ((passed[k].apis & api) && name.n == passed[k].name.n && !memcmp(name.p, passed[k].name.p, name.n))
			return true;
	return false;
}

/* What a call needs goes on; credentials of the caller, and whatever nobody knows, do not. */
static void keep_fields(struct head *h, uint32_t api)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < h->n_fields; i++)
		if (is_passed(head_name(h, &h->fields[i]), api))
			h->fields[kept++] = h->fields[i];
	h->n_fields = kept;
}

static void keep_query(struct buf *to, struct slice all)
{
	bool first = true;

	while (all.n) {
		const char *amp = memchr(all.p, '&', all.n);
		struct slice one = { all.p, amp ? (size_t)(amp - all.p) : all.n };
		const char *eq = one.n ? memchr(one.p, '=', one.n) : NULL;
		size_t n = eq ? (size_t)(eq - one.p) : one.n;

		for (size_t k = 0; k < sizeof(queries) / sizeof(queries[0]); k++)
			if (n == queries[k].n && !memcmp(one.p, queries[k].p, n)) {
				buf_str(to, first ? "?" : "&");
				buf_put(to, one.p, one.n);
				first = false;
			}
		all.p += one.n + (amp != NULL);
		all.n -= one.n + (amp != NULL);
	}
}

void inference_kept(const struct exchange *x, struct buf *target, struct buf *fields)
{
	const char *mark = strchr(head_str(&x->head, x->head.target), '?');

	if (mark)
		keep_query(target, slice_of(mark + 1));
	for (uint32_t i = 0; i < x->head.n_fields; i++) {
		struct slice name = head_name(&x->head, &x->head.fields[i]), value = head_value(&x->head, &x->head.fields[i]);

		if (!is_passed(name, OSH_APIS))
			continue;
		buf_put(fields, value.p, value.n);
		buf_str(fields, "\n");
	}
}

bool inference_splice(struct exchange *x, size_t at, size_t n, struct slice with)
{
	size_t rest = x->held.n - at - n;

	if (with.n > n && !buf_space(&x->held, with.n - n))
		return false;
	if (with.n < n)
		x->held.n -= n - with.n;
	memmove(x->held.p + at + with.n, x->held.p + at + n, rest);
	memcpy(x->held.p + at, with.p, with.n);
	x->fs->held = x->fs->held + with.n - n;
	return true;
}

static bool put_where(struct exchange *x)
{
	struct inference *i = x->inference;
	const struct target *t = &i->to->target;
	const char *mark = strchr(head_str(&x->head, x->head.target), '?');
	char authority[OSH_NAME_MAX + 16];
	struct buf target = { 0 };
	bool ok;

	snprintf(authority, sizeof(authority), t->port == (i->plain ? 80 : 443) ? "%s" : "%s:%u", t->name, t->port);
	buf_str(&target, i->path);
	if (mark)
		keep_query(&target, slice_of(mark + 1));
	ok = buf_ok(&target) && target.n <= TARGET_BYTES;
	x->head.target = ok ? head_text(&x->head, (struct slice){ target.p, target.n }) : 0;
	x->head.authority = head_text(&x->head, slice_of(authority));
	x->head.scheme = head_text(&x->head, i->plain ? SLICE("http") : SLICE("https"));
	buf_done(&target);
	return ok && x->head.target && x->head.authority && x->head.scheme;
}

bool inference_rewrite(struct exchange *x)
{
	struct inference *i = x->inference;
	char length[24];

	if (!head_dup(&i->before, &x->head))
		return false;
	head_done(&x->trailers);
	x->trailers = (struct head){ 0 };
	keep_fields(&x->head, route_of(x)->api);
	if (!put_where(x) || !head_set(&x->head, "accept-encoding", SLICE("identity")))
		return false;
	/* What was read as JSON is JSON to the backend, whatever the caller calls it: no form, no other charset. */
	if ((names_in_body(i->shape) || (x->grant->policy->bundle.n_privacy && x->held.n)) && !head_set(&x->head, "content-type", SLICE("application/json")))
		return false;
	if (!private_redact(x) || (i->at && !inference_splice(x, i->at, i->was, slice_of(i->model))))
		return false;
	if (!i->at && !i->redacted)
		return true;
	snprintf(length, sizeof(length), "%zu", x->held.n);
	return head_set(&x->head, "content-length", slice_of(length));
}

bool inference_undo(struct exchange *x)
{
	struct inference *i = x->inference;

	if (!i)
		return true;
	if (i->redacted)		/* judged again it would be another text */
		return false;
	if (i->before.n_text) {
		if (i->at && !inference_splice(x, i->at, strlen(i->model), slice_of(i->asked)))
			return false;
		head_done(&x->head);
		x->head = i->before;
		i->before = (struct head){ 0 };
	}
	inference_done(x);
	return true;
}

bool inference_reserve(struct exchange *x)
{
	x->inference->reserved = records_reserve_long(&x->fs->records);
	x->inference->sent = x->inference->reserved;
	return x->inference->reserved;
}

/* ---- another backend */

/* What a service says that cannot serve now; another one perhaps can. */
static bool failing(uint16_t status)
{
	return status == 429 || status == 500 || status == 502 || status == 503 || status == 504 || status == 529;
}

/* Nothing of the body is gone that cannot be sent once more, and the policy is the one that chose the route. */
static bool repeatable(const struct exchange *x)
{
	return x->inference->to->policy == x->grant->policy && !x->inference->followed && !x->answered &&
	       (x->hold_most || (x->client_ended && !x->body_sent)) &&
	       generation_now(&x->fs->policies) == x->grant->policy;
}

static enum osh_reason choose_next(const struct exchange *x, struct routed *to)
{
	const struct inference *i = x->inference;
	struct route_ask q = { .shape = i->shape, .anthropic = i->anthropic, .tried = i->tried | 1ull << (i->route - 1),
			       .resting = resting_mask(x), .chosen = x->fs->choice.route, .instead = x->fs->choice.model,
			       .balance = load(x), .local = i->privacy.local };

	if (i->asked[0] && names_in_body(i->shape))
		q.model = slice_of(i->asked);
	else if (!names_in_body(i->shape))
		(void)shape_of(head_str(&i->before, i->before.method), i->caller_path, &q.model);
	return route_choose(&x->grant->policy->bundle, &q, to);
}

bool inference_falls_back(struct exchange *x, const struct head *h)
{
	struct inference *i = x->inference;
	struct routed to;

	if (!i || !i->sent || !x->grant->policy->bundle.inference->fallback || (h && !failing(h->status)))
		return false;
	if (h)
		i->status = h->status;
	resting(x)[i->route - 1] = x->fs->loop->now_ms + REST_MS;
	return repeatable(x) && choose_next(x, &to) == OSH_WHY_ALLOWED;
}

bool inference_next(struct exchange *x)
{
	struct inference *i = x->inference;
	struct routed to;

	if (choose_next(x, &to) != OSH_WHY_ALLOWED || !guard_undo(x))
		return false;
	i->tried |= 1ull << (i->route - 1);
	inference_end(x);		/* the attempt is on record, with what came of it */
	if (i->at && !inference_splice(x, i->at, strlen(i->model), slice_of(i->asked)))
		return false;
	head_done(&x->head);
	x->head = i->before;
	i->before = (struct head){ 0 };
	x->shown = x->head.target;
	grant_put(i->to);
	i->to = NULL;
	free(i->path);
	i->path = NULL;
	i->sent = i->answered = false;
	i->status = 0;
	return settle(x, &to, 0, i->caller_path);
}

/* ---- another policy */

/* The backend of ROUTES[k], which is the one that it has, by the policy in force; what the former one chose is for no other. */
static bool follow(struct exchange *x, uint32_t k)
{
	struct grant *was = x->inference->to;

	if (!find_backend(x, k + 1)) {
		x->inference->to = was;
		return false;
	}
	grant_put(was);
	x->inference->route = k + 1;
	x->inference->followed = true;
	return true;
}

const char *inference_again(struct exchange *x, const struct rules_answer *a)
{
	const struct inference *i = x->inference;
	const struct bundle *b = &x->grant->policy->bundle;
	const struct target *t = &i->to->target;
	struct route_ask q = { .shape = i->shape, .anthropic = i->anthropic };
	const char *content;
	struct routed to;
	enum osh_reason why;

	if (!inference_is(x, a))
		return "it is no call of a model any more";
	content = private_again(x, a->path);
	if (content)
		return content;
	q.local = i->privacy.local;
	if (names_in_body(i->shape) && i->asked[0])
		q.model = slice_of(i->asked);
	else if (!names_in_body(i->shape))
		(void)shape_of(head_str(&x->head, x->head.method), a->path, &q.model);
	why = route_choose(b, &q, &to);
	if (why != OSH_WHY_ALLOWED)
		return "its model is not one that may be asked for any more";
	for (uint32_t k = 0; k < b->n_routes; k++)
		if (b->routes[k].port == t->port && !(b->routes[k].flags & OSH_ROUTE_PLAIN) == !i->plain &&
		    (t->local || !(q.local || (b->routes[k].flags & OSH_ROUTE_LOCAL))) &&
		    !strcmp(bundle_str(b, b->hosts[b->routes[k].host - 1].name), t->name))
			return follow(x, k) ? NULL : "out of memory";
	return "no route leads to its backend any more";
}

/* ---- the answer */

void inference_answer(struct exchange *x, struct head *h)
{
	struct inference *i = x->inference;
	const struct field *type = head_find(h, "content-type", 0);

	head_drop(h, "set-cookie");
	if (h->status < 200)
		return;
	i->answered = true;
	i->status = h->status;
	i->first_ms = x->fs->loop->now_ms;
	usage_start(&i->usage, type ? head_value(h, type) : (struct slice){ "", 0 });
	if (x->request_sent)
		exchange_held_drop(x);	/* a stream may go on for long: what was asked is not kept for it */
}

void inference_bytes(struct exchange *x, struct slice bytes)
{
	usage_feed(&x->inference->usage, bytes);
}

void inference_end(struct exchange *x)
{
	struct inference *i = x->inference;
	struct osh_event_named ev;
	struct osh_inference said;
	uint64_t now = x->fs->loop->now_ms;

	if (!i || !i->reserved)
		return;
	i->reserved = false;
	ev = event_of(x->grant, OSH_ALLOW, OSH_WHY_ALLOWED, NULL, 0);
	ev.ev.kind = OSH_EV_INFERENCE;
	ev.ev.port = x->grant->target.port;
	if (x->rule)
		ev.ev.rule = x->rule;
	said = (struct osh_inference){ .status = i->status, .tokens_in = usage_in(&i->usage),
				       .tokens_out = usage_out(&i->usage), .ms = (uint32_t)(now - i->began_ms),
				       .first_ms = i->answered ? (uint32_t)(i->first_ms - i->began_ms) : 0,
				       .flags = i->usage.said ? OSH_INFERENCE_COUNTED : 0 };
	snprintf(said.operation, sizeof(said.operation), "%s", shape_text(i->shape));
	snprintf(said.route, sizeof(said.route), "%s", i->name);
	snprintf(said.backend, sizeof(said.backend), "%s", i->to->target.name);
	snprintf(said.asked, sizeof(said.asked), "%s", private_model(x, i->asked));
	snprintf(said.model, sizeof(said.model), "%s", private_model(x, i->model));
	if (!records_put_inference(&x->fs->records, &ev, &said))
		x->fs->loop->stop = 1;	/* audit is gone: nothing goes on without it */
}

void inference_done(struct exchange *x)
{
	struct inference *i = x->inference;

	if (!i)
		return;
	if (i->reserved)
		records_release(&x->fs->records);
	grant_put(i->to);
	head_done(&i->before);
	free(i->path);
	free(i->caller_path);
	free(i);
	x->inference = NULL;
}
