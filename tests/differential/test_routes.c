/* SPDX-License-Identifier: Apache-2.0 */
/* Random routes, lists and aliases of models, and random calls: the egress' choice by the bundle against eval's. */
#include <string.h>

#include "canon.h"
#include "emit.h"
#include "eval.h"
#include "infer/infer.h"
#include "rules/rules.h"
#include "text.h"

#include "random_world.h"	/* last: cmocka defines a macro called fail */

#define ROUNDS 4000
#define ASKED 60

static const char *const globs[] = { "a", "a*", "*", "**", "gpt-?", "o/**", "o/*", "{a,b}", "[ab]*", "x.y:z", "claude-*", "\\\\*" };
static const char *const names[] = { "a", "b", "ab", "gpt-4", "gpt-44", "o/p/q", "x.y:z", "claude-1", "*", "A", "none", "..", "a/../b" };
static const char *const asked[] = { "a", "b", "ab", "gpt-4", "gpt-44", "o/p/q", "x.y:z", "claude-1", "*", "A", "none", "",
				     "a b", "a\"", "a\\", "\x7f", "\xc3\xa9", NULL };
static const char *const boxes[] = { "a", "ab", "gpu-1", "gpu-22", "a-b-a-b", "1" };
static const char *const box_globs[] = { "a", "*", "a*", "?", "gpu-?", "gpu-*", "*-b*", "*a*b", "a-b-a-b", "**", "*1", "??*" };
static const char *const apis[] = { "openai", "anthropic", "bedrock", "ollama", "llama" };
static const char *const methods[] = { "POST", "POST", "POST", "GET", "GET", "PUT" };
static const char *const paths[] = {
	"/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/models", "/v1/models/",
	"/v1/models/a", "/v1/models/o/p/q", "/v1/models/x.y%3Az", "/v1/messages", "/v1/messages/count_tokens",
	"/model/a/invoke", "/model/x.y%3Az/converse", "/model/o%2Fp%2Fq/invoke", "/model/a/b/invoke", "/model//invoke",
	"/model/claude-1/invoke-with-response-stream", "/model/gpt-4/converse-stream", "/model/%22/invoke", "/v1/models/a%2Fb", "/v1/models/a%2F", "/v1/models/%2Fa", "/model/%2Fa/invoke", "/model/a%2F%2Fb/invoke", "/v1/models/a.%2Fb",
	"/v1/models/...", "/v1/models/o/p", "/api/chat",
	"/api/generate", "/api/embed", "/api/embeddings", "/api/show", "/api/tags", "/api/version", "/completion", "/infill",
	"/embedding", "/tokenize", "/detokenize", "/health", "/", "/v1", "/v1/files", "/v1/messages/x", "/model/a/invoked",
};

static void put_globs(struct buf *b, const char *key)
{
	buf_printf(b, "%s: [\"%s\"", key, PICK(globs));
	while (pick(2))
		buf_printf(b, ", \"%s\"", PICK(globs));
	buf_str(b, "]");
}

static void put_route(struct buf *b, unsigned i)
{
	bool sandbox = !pick(4);

	buf_printf(b, "    - {name: r%u, api: %s, ", i, PICK(apis));
	if (sandbox)
		buf_printf(b, "sandbox: \"%s\", port: %u", PICK(boxes), 1 + pick(3));
	else
		buf_printf(b, "host: h%u.test", pick(3));
	if (pick(2)) {
		buf_str(b, ", ");
		put_globs(b, "model");
	}
	if (!pick(3))
		buf_printf(b, ", as: \"%s\"", PICK(names));
	if (!pick(3))
		buf_str(b, ", path: /x");
	if (pick(2))
		buf_str(b, ", local: true");
	buf_str(b, "}\n");
}

/* A port once; names and patterns of them. */
static void put_serves(struct buf *b)
{
	buf_str(b, "serve:\n");
	for (unsigned port = 1, n = 1 + pick(3); port <= n; port++) {
		buf_printf(b, "  - {port: %u, to: [\"%s\"", port, PICK(box_globs));
		while (pick(2))
			buf_printf(b, ", \"%s\"", PICK(box_globs));
		buf_str(b, "]}\n");
	}
}

/* Each at most once of its kind: what is the same twice is no policy. */
static void put_limits(struct buf *b, unsigned routes)
{
	static const char *const what[] = { "requests: 7", "tokens: 1000000", "money: 2.5" };

	buf_str(b, "  limits:\n");
	for (unsigned i = 0; i < 12; i++) {
		if (pick(2) || i == 9)		/* that one is at the end, always */
			continue;
		buf_printf(b, "    - {%s, per: %s, of: %s", what[i % 3], i / 3 % 2 ? "day" : "minute", i / 6 ? "user" : "sandbox");
		if (pick(2))
			buf_printf(b, ", route: r%u", pick(routes));
		buf_str(b, "}\n");
	}
	buf_str(b, "    - {requests: 9, per: day, of: user, route: r0}\n  prices:\n");
	for (unsigned i = 0, n = 1 + pick(3); i < n; i++) {
		buf_str(b, "    - {");
		put_globs(b, "model");
		buf_printf(b, ", input: %u.%06u, output: %u", pick(4), pick(1000000), pick(100));
		if (pick(2))
			buf_printf(b, ", cached: 0.%u", 1 + pick(99));
		if (pick(2))
			buf_printf(b, ", stored: %u.5", pick(9));
		buf_str(b, "}\n");
	}
}

static void put_policy(struct buf *b)
{
	unsigned n = 1 + pick(6);

	buf_str(b, "inference:\n");
	if (pick(2)) {
		buf_str(b, "  ");
		put_globs(b, "models");
		buf_str(b, "\n");
	}
	if (pick(2))
		buf_printf(b, "  aliases: {fast: \"%s\", %s: \"%s\"}\n", PICK(names), pick(2) ? "a" : "gpt-4", PICK(names));
	if (pick(2))
		buf_str(b, pick(2) ? "  fallback: true\n" : pick(2) ? "  fallback: true\n  balance: round_robin\n" :
			   "  fallback: true\n  balance: least_busy\n");
	buf_str(b, "  routes:\n");
	for (unsigned i = 0; i < n; i++)
		put_route(b, i);
	if (pick(2))
		put_limits(b, n);
	if (pick(2))
		put_serves(b);
}

static unsigned counted, priced, unpriced;

static bool shape_counted(enum osh_shape shape)
{
	static const uint8_t how[OSH_SHAPES] = {
#define SHAPE(id, text, method, path, apis, model, counted) [OSH_SHAPE_##id] = OSH_COUNTED_##counted,
#include "osh/shapes.def"
#undef SHAPE
	};

	return how[shape] != OSH_COUNTED_NOT;
}

/* What an allowed call counts for, and what some tokens of it cost. */
static void compare_limits(struct world *w, const struct eval_routed *want, enum osh_shape shape, const struct routed *got)
{
	uint64_t tokens[OSH_PRICES], ours = 0, theirs = 0;
	uint32_t mask = limits_mask(&w->b, shape, got->route);
	bool one, other;

	if (mask != eval_limits(&w->p, want))
		fail_msg("limits: eval %x, tables %x\n%.*s", eval_limits(&w->p, want), mask, (int)w->text.n, w->text.p);
	counted += mask != 0;
	for (unsigned i = 0; i < OSH_PRICES; i++)
		tokens[i] = pick(5) ? pick(200000) : (uint64_t)random() << pick(32);
	one = eval_cost(&w->p, want->model, tokens, &ours);
	other = limits_cost(&w->b, got->model, tokens, &theirs);
	if (one != other || ours != theirs)
		fail_msg("cost of %s: eval %llu, tables %llu\n%.*s", got->model, (unsigned long long)ours,
			 (unsigned long long)theirs, (int)w->text.n, w->text.p);
	priced += one;
	unpriced += !one;
}

static unsigned moved, renamed, spent, away;

/* Of the names here, in a path. */
static bool leads_away(enum osh_shape shape, const char *name)
{
	return shape_model(shape) == OSH_MODEL_PATH && name && (!strcmp(name, "..") || strstr(name, "/../"));
}

static unsigned let_in, kept_out, across;

/* Which sandbox may come where: oshd's words against eval's. */
static void compare_serves(const struct world *w)
{
	for (unsigned i = 0; i < ARRAY_SIZE(boxes); i++)
		for (uint32_t port = 0; port < 5; port++) {
			bool want = eval_serves(&w->p, port, boxes[i]).verdict == OSH_ALLOW, there = false;

			if (want != bundle_serves(&w->b, port, boxes[i]))
				fail_msg("serve %u %s: eval %d\n%.*s", port, boxes[i], want, (int)w->text.n, w->text.p);
			*(want ? &let_in : &kept_out) += 1;
			for EACH (struct route, r, &w->p.inference.routes)
				there |= r->sandbox && r->port == port && !strcmp(r->sandbox, boxes[i]);
			if (there != bundle_routes_to(&w->b, boxes[i], port))
				fail_msg("a route to %s:%u: %d\n%.*s", boxes[i], port, there, (int)w->text.n, w->text.p);
			across += there;
		}
}

/* The same call where a route was chosen, some failed a moment ago, and some failed for it: one that may take it does. */
static void compare_choice(struct world *w, const struct eval_routed *want, struct route_ask q, const struct routed *plain)
{
	const struct route *routes = w->p.inference.routes.v;
	unsigned n = (unsigned)w->p.inference.routes.n;
	const struct route *to;
	struct balance load = { .now = pick(100) };
	struct routed got;
	uint64_t left;

	for (unsigned i = 0; i < OSH_INFERENCE_ROUTES; i++) {
		load.busy[i] = pick(4);
		load.mark[i] = pick(200);
	}
	q.balance = pick(2) ? &load : NULL;
	q.kept = pick(n + 1);
	q.chosen = pick(8) ? routes[pick(n)].name : "no-such-route";
	q.instead = pick(3) ? PICK(names) : "";
	q.tried = pick(2) ? (uint64_t)random() & ((1u << n) - 1) : 0;
	q.resting = pick(2) ? (uint64_t)random() & ((1u << n) - 1) : 0;
	left = want->may & ~q.tried;
	if (left & ~q.resting)
		left &= ~q.resting;
	if (route_choose(&w->b, &q, &got) != (left ? OSH_WHY_ALLOWED : OSH_WHY_NO_ROUTE))
		fail_msg("%llx may take it, and it goes to %u\n%.*s", (unsigned long long)left, got.route, (int)w->text.n, w->text.p);
	spent += !left;
	if (!left)
		return;
	if (!got.route || !(left >> (got.route - 1) & 1))
		fail_msg("%llx may take it, not %u\n%.*s", (unsigned long long)left, got.route, (int)w->text.n, w->text.p);
	for (unsigned i = 0; i < n; i++)
		if ((left >> i & 1) && !strcmp(routes[i].name, q.chosen))
			assert_int_equal(got.route, i + 1);
	moved += got.route != plain->route;
	assert_false(leads_away(q.shape, got.model));
	away += leads_away(q.shape, q.instead);
	to = &routes[got.route - 1];
	if (!*want->model) {
		assert_string_equal(got.model, "");
	} else if (!strcmp(to->name, q.chosen) && *q.instead && shape_counted(q.shape) && eval_renames(&w->p, to, q.shape, q.instead)) {
		renamed++;
		assert_string_equal(got.model, q.instead);
	} else if (to->as) {
		assert_string_equal(got.model, to->as);
	} else if (!want->route->as) {
		assert_string_equal(got.model, want->model);
	}
}

static void ask(struct world *w, unsigned whys[OSH_WHY_MAX])
{
	struct arena a = { 0 };
	char path[CANON_MAX + 1];
	struct eval_call_of_model q = { .method = PICK(methods), .model = PICK(asked), .anthropic = !pick(4),
				       .local = !pick(6) };
	struct route_ask ours = { .anthropic = q.anthropic, .local = q.local };
	const struct canon_options keep = { .encoded_slash = true };
	struct eval_routed want;
	struct routed got;
	enum osh_reason why, ask_why;
	const char *name;

	assert_int_equal(canon_path(slice_of(PICK(paths)), &keep, path), CANON_OK);
	q.path = path;
	why = eval_inference(&w->p, &q, &a, &want);
	ours.shape = shape_of(q.method, q.path, &ours.model);
	if (!ours.model.p && q.model)
		ours.model = slice_of(q.model);
	ask_why = route_choose(&w->b, &ours, &got);
	name = got.route ? bundle_str(&w->b, w->b.routes[got.route - 1].name) : "-";
	if (why != ask_why || want.shape != ours.shape || strcmp(want.route ? want.route->name : "-", name) != 0 ||
	    (why == OSH_WHY_ALLOWED && strcmp(want.model, got.model) != 0))
		fail_msg("%s %s model %s: eval %s %s %s, tables %s %s %s\n%.*s", q.method, q.path, q.model ? q.model : "-",
			 reason_id(why), want.route ? want.route->name : "-", want.model, reason_id(ask_why), name, got.model,
			 (int)w->text.n, w->text.p);
	if (why == OSH_WHY_ALLOWED)
		compare_limits(w, &want, ours.shape, &got);
	if (why == OSH_WHY_ALLOWED)
		compare_choice(w, &want, ours, &got);
	whys[why]++;
	arena_done(&a);
}

static void test_random(void **state)
{
	static const enum osh_reason all[] = { OSH_WHY_ALLOWED, OSH_WHY_NOT_INFERENCE, OSH_WHY_MODEL, OSH_WHY_MODEL_UNCLEAR,
					       OSH_WHY_NO_ROUTE };
	unsigned whys[OSH_WHY_MAX] = { 0 };

	(void)state;
	world_seed();
	for (int i = 0; i < ROUNDS; i++) {
		struct world w;

		world_new(&w, put_policy);
		for (int k = 0; k < ASKED; k++)
			ask(&w, whys);
		compare_serves(&w);
		world_done(&w);
	}
	print_message("let in %u, kept out %u, routes across %u\n", let_in, kept_out, across);
	assert_true(let_in > ROUNDS / 4 && kept_out > ROUNDS / 4 && across > ROUNDS / 4);
	print_message("counted %u, with a price %u, without %u\n", counted, priced, unpriced);
	assert_true(counted > ROUNDS && priced > ROUNDS / 4 && unpriced > ROUNDS / 4);
	print_message("moved %u, renamed %u, nowhere %u, to lead away %u\n", moved, renamed, spent, away);
	assert_true(moved > ROUNDS / 4 && renamed > ROUNDS / 5 && spent > ROUNDS / 4 && away);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		print_message("%s %u\n", reason_id(all[i]), whys[all[i]]);
		assert_true(whys[all[i]] > ROUNDS / 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
