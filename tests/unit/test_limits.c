/* SPDX-License-Identifier: Apache-2.0 */
/* What `inference.limits` and `prices` mean: which limits count a call, and what its tokens cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static const char text[] =
	"inference:\n"
	"  routes:\n"
	"    - {name: a, api: anthropic, model: \"claude-*\"}\n"
	"    - {name: b, api: openai, as: other}\n"
	"  limits:\n"
	"    - {requests: 60, tokens: 5000, per: minute}\n"		/* bits 0, 1 */
	"    - {money: 20.5, per: day, of: user}\n"			/* 2 */
	"    - {tokens: 7, requests: 3, per: day, route: b}\n"		/* 3 requests, 4 tokens */
	"  prices:\n"
	"    - {model: [\"claude-*\", x], input: 3, output: 15, cached: 0.3}\n"
	"    - {model: other, input: 0.000001, output: 0}\n";

static struct policy policy;

static int setup(void **state)
{
	struct diags d = { 0 };
	int r = policy_read(&policy, slice_of(text), &d);

	(void)state;
	if (r < 0)
		diags_print(&d, stderr, "policy", slice_of(text), false);
	diags_done(&d);
	return r;
}

static int teardown(void **state)
{
	(void)state;
	policy_done(&policy);
	return 0;
}

static void test_read(void **state)
{
	const struct budget *l = policy.inference.limits.v;
	const struct price *p = policy.inference.prices.v;

	(void)state;
	assert_int_equal(policy.inference.limits.n, 5);
	assert_true(l[0].what == OSH_COUNT_REQUESTS && l[0].per == OSH_WINDOW_MINUTE && !l[0].user && !l[0].route && l[0].most == 60);
	assert_true(l[1].what == OSH_COUNT_TOKENS && l[1].most == 5000);
	assert_true(l[2].what == OSH_COUNT_MONEY && l[2].per == OSH_WINDOW_DAY && l[2].user && l[2].most == 20500000);
	assert_string_equal(l[3].route, "b");
	assert_int_equal(p[0].part[OSH_PRICE_CACHED], 300000);
	assert_int_equal(p[0].part[OSH_PRICE_STORED], 3000000);
	assert_int_equal(p[1].part[OSH_PRICE_INPUT], 1);
}

static void test_counts(void **state)
{
	static const struct {
		const char *method, *path, *model;
		uint32_t mask;
	} all[] = {
		{ "POST", "/v1/messages", "claude-1", 7 },
		{ "POST", "/v1/messages/count_tokens", "claude-1", 1 },	/* a call, without tokens */
		{ "POST", "/v1/chat/completions", "x", 31 },
		{ "POST", "/v1/embeddings", "x", 31 },
		{ "GET", "/v1/models", NULL, 0 },
		{ "GET", "/v1/models/x", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct eval_call_of_model q = { .method = all[i].method, .path = all[i].path, .model = all[i].model };
		struct eval_routed to;
		struct arena a = { 0 };

		assert_int_equal(eval_inference(&policy, &q, &a, &to), OSH_WHY_ALLOWED);
		assert_int_equal(eval_limits(&policy, &to), all[i].mask);
		arena_done(&a);
	}
}

static void test_costs(void **state)
{
	static const struct {
		const char *model;
		uint64_t tokens[OSH_PRICES], cost;
	} all[] = {
		{ "claude-1", { 0 }, 0 },
		{ "claude-1", { 1000000 }, 3000000 },
		{ "claude-1", { 1, 1, 0, 0 }, 18 },
		{ "x", { 0, 0, 1, 0 }, 1 },			/* 0.3 of a millionth, rounded up */
		{ "x", { 0, 0, 10, 1 }, 6 },
		{ "other", { 1, UINT64_MAX, 0, 0 }, 1 },
		{ "other", { 1000001 }, 2 },
		{ "claude-1", { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX }, OSH_COUNT_MOST },
	};
	uint64_t got = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		assert_true(eval_cost(&policy, all[i].model, all[i].tokens, &got));
		assert_int_equal(got, all[i].cost);
	}
	assert_false(eval_cost(&policy, "gpt", all[0].tokens, &got));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_read), cmocka_unit_test(test_counts), cmocka_unit_test(test_costs) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
