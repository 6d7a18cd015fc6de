/* SPDX-License-Identifier: Apache-2.0 */
/* Random routes, lists and aliases of models, and random calls: the egress' choice by the bundle against eval's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bundle.h"
#include "canon.h"
#include "emit.h"
#include "eval.h"
#include "infer/infer.h"
#include "own.h"
#include "policy.h"
#include "rules/rules.h"
#include "text.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define ROUNDS 4000
#define ASKED 60

static unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

#define PICK(list) ((list)[pick(ARRAY_SIZE(list))])

static const char *const globs[] = { "a", "a*", "*", "**", "gpt-?", "o/**", "o/*", "{a,b}", "[ab]*", "x.y:z", "claude-*", "\\\\*" };
static const char *const names[] = { "a", "b", "ab", "gpt-4", "gpt-44", "o/p/q", "x.y:z", "claude-1", "*", "A", "none" };
static const char *const asked[] = { "a", "b", "ab", "gpt-4", "gpt-44", "o/p/q", "x.y:z", "claude-1", "*", "A", "none", "",
				     "a b", "a\"", "a\\", "\x7f", "\xc3\xa9", NULL };
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

struct world {
	struct buf text, bytes;
	struct bundle b;
	struct policy p;
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
	buf_printf(b, "    - {name: r%u, api: %s, host: h%u.test", i, PICK(apis), pick(3));
	if (pick(2)) {
		buf_str(b, ", ");
		put_globs(b, "model");
	}
	if (!pick(3))
		buf_printf(b, ", as: \"%s\"", PICK(names));
	if (!pick(3))
		buf_str(b, ", path: /x");
	buf_str(b, "}\n");
}

static void put_policy(struct buf *b)
{
	buf_str(b, "inference:\n");
	if (pick(2)) {
		buf_str(b, "  ");
		put_globs(b, "models");
		buf_str(b, "\n");
	}
	if (pick(2))
		buf_printf(b, "  aliases: {fast: \"%s\", %s: \"%s\"}\n", PICK(names), pick(2) ? "a" : "gpt-4", PICK(names));
	buf_str(b, "  routes:\n");
	for (unsigned i = 0, n = 1 + pick(6); i < n; i++)
		put_route(b, i);
}

static void world_new(struct world *w)
{
	struct diags d = { 0 };
	struct err e = { 0 };
	struct slice text;

	*w = (struct world){ 0 };
	put_policy(&w->text);
	text = (struct slice){ w->text.p, w->text.n };
	if (policy_compile(text, &d, &w->bytes) < 0 || policy_read(&w->p, text, &d) < 0) {
		diags_print(&d, stderr, "policy", text, false);
		fail_msg("does not compile");
	}
	if (bundle_open_mem(&w->b, w->bytes.p, w->bytes.n, &e) < 0)
		fail_msg("%s\n%.*s", e.text, (int)text.n, text.p);
	diags_done(&d);
}

static void world_done(struct world *w)
{
	policy_done(&w->p);
	bundle_done(&w->b);
	buf_done(&w->bytes);
	buf_done(&w->text);
}

static void ask(struct world *w, unsigned whys[OSH_WHY_MAX])
{
	struct arena a = { 0 };
	char path[CANON_MAX + 1];
	struct eval_call_of_model q = { .method = PICK(methods), .model = PICK(asked), .anthropic = !pick(4) };
	struct route_ask ours = { .anthropic = q.anthropic };
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
	whys[why]++;
	arena_done(&a);
}

static void test_random(void **state)
{
	static const enum osh_reason all[] = { OSH_WHY_ALLOWED, OSH_WHY_NOT_INFERENCE, OSH_WHY_MODEL, OSH_WHY_MODEL_UNCLEAR,
					       OSH_WHY_NO_ROUTE };
	const char *seed = getenv("OSH_SEED");
	unsigned whys[OSH_WHY_MAX] = { 0 };
	unsigned first = seed ? (unsigned)atoi(seed) : (unsigned)time(NULL);

	(void)state;
	print_message("OSH_SEED=%u\n", first);
	srandom(first);
	for (int i = 0; i < ROUNDS; i++) {
		struct world w;

		world_new(&w);
		for (int k = 0; k < ASKED; k++)
			ask(&w, whys);
		world_done(&w);
	}
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
