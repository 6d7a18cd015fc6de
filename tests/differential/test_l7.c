/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The L7 tables of a bundle, read by the egress' own judge, against the meaning of the policy: random
 * policies, random requests as bytes. The same questions are then put to tables with one fault in them,
 * a kind of fault at a time, to show that the test sees every one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include "l7_faults.h"
#include "l7_request.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define ROUNDS 1500
#define ASKED 60

static unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

struct tally {
	unsigned verdicts[3], whys[OSH_WHY_MAX], refused, questions;
	unsigned tried[FAULT_MAX], seen[FAULT_MAX];
};

static void complain(const struct question *q, const struct world *w, const struct rules_answer *got,
		     const char *what)
{
	fail_msg("%s differs: %s %.*s by %s\nbody %.*s\neval %u%s why %u %s:%u, tables %u why %u rule %u:%u path %s\n%.*s",
		 what, q->r.method, (int)q->target.n, q->target.p, q->e.connect.binary, (int)q->body.n,
		 q->body.n ? q->body.p : "", q->want.verdict, q->want.audit ? " audit" : "", q->want.why,
		 q->want.rule ? q->want.rule : "-", q->want.line, got->verdict, got->why, got->rule, got->line,
		 got->path, (int)w->text.n, w->text.p);
}

static void ask_faulty(struct world *w, struct question *qs, struct tally *t)
{
	for (int f = 0; f < FAULT_MAX; f++) {
		struct undo undo = { 0 };
		struct rules_answer got;
		bool seen = false;

		if (!fault_make(&w->b, (enum fault)f, &undo))
			continue;
		t->tried[f]++;
		for (int i = 0; i < ASKED && !seen; i++)
			seen = qs[i].t.n_rules && question_differs(&qs[i], w, &got);
		t->seen[f] += seen;
		fault_undo(&undo);
	}
}

static void round_of(struct tally *t)
{
	static struct question qs[ASKED];
	struct world w;
	bool other;

	while (!world_new(&w, &other)) {
		if (other)
			fail_msg("does not compile:\n%.*s", (int)w.text.n, w.text.p);
		world_done(&w);
		t->refused++;
	}
	for (int i = 0; i < ASKED; i++) {
		struct rules_answer got;
		const char *what;

		question_new(&qs[i], &w);
		if (!qs[i].t.n_rules)
			continue;
		what = question_differs(&qs[i], &w, &got);
		if (what)
			complain(&qs[i], &w, &got, what);
		t->verdicts[got.verdict]++;
		t->whys[got.why]++;
		t->questions++;
	}
	ask_faulty(&w, qs, t);
	for (int i = 0; i < ASKED; i++)
		question_done(&qs[i]);
	world_done(&w);
}

static void tables_mean_what_the_policy_means(void **state)
{
	static const enum osh_reason whys[] = {
		OSH_WHY_ALLOWED, OSH_WHY_REQUEST, OSH_WHY_REQUEST_DENIED, OSH_WHY_PROTOCOL, OSH_WHY_TARGET_BAD,
		OSH_WHY_GRAPHQL, OSH_WHY_GRAPHQL_BAD, OSH_WHY_GRAPHQL_UNKNOWN, OSH_WHY_NOT_INSPECTED,
	};
	const char *seed = getenv("OSH_SEED"), *rounds = getenv("OSH_ROUNDS");
	struct tally t = { 0 };
	unsigned unseen = 0;

	(void)state;
	srandom(seed ? (unsigned)atoi(seed) : 20264);
	for (int i = 0, n = rounds ? atoi(rounds) : ROUNDS; i < n; i++)
		round_of(&t);
	print_message("# %u questions: %u denied, %u allowed, %u audited; %u policies contradicted themselves\n",
		      t.questions, t.verdicts[OSH_DENY], t.verdicts[OSH_ALLOW], t.verdicts[OSH_AUDIT], t.refused);
	for (size_t i = 0; i < ARRAY_SIZE(whys); i++)
		assert_true(t.whys[whys[i]] > 50);
	assert_true(t.verdicts[OSH_ALLOW] > t.questions / 20 && t.verdicts[OSH_AUDIT] > t.questions / 100);
	for (int f = 0; f < FAULT_MAX; f++) {
		if (!t.seen[f])
			print_message("# fault '%s' goes unseen (%u tries)\n", fault_name((enum fault)f), t.tried[f]);
		unseen += !t.seen[f];
	}
	print_message("# %u of %u kinds of fault seen\n", FAULT_MAX - unseen, FAULT_MAX);
	assert_int_equal(unseen, 0);
}

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const char simple[] =
	"version: 1\nnetwork_policies:\n  r:\n    binaries: [/bin/a]\n    endpoints:\n"
	"      - {host: a.x.test, port: 80, protocol: rest, rules: [{allow: {method: GET, path: '/repos/*/*/issues'}},"
	" {allow: {method: POST, path: '/repos/**'}}]}\n"
	"      - {host: a.x.test, port: 80, protocol: graphql, path: '/graphql', rules: [{allow: {operation_type: query, fields: [viewer]}}]}\n"
	"      - {host: a.x.test, port: 80, protocol: mcp, path: '/mcp', rules: [{allow: {tool: 'read_*'}}]}\n";

/* Nanoseconds a judgement, the best of many rounds: others use the machine too. */
static double time_of(const struct world *w, const struct target *t, const struct rules_request *q)
{
	struct rules_answer a;
	double best = 1e9;

	for (int k = 0; k < 50; k++) {
		double from = now_ns(), took;

		for (int i = 0; i < 1000; i++)
			rules_judge(&w->b, t, q, &a);
		took = (now_ns() - from) / 1000;
		best = took < best ? took : best;
	}
	assert_int_equal(a.verdict, OSH_ALLOW);
	return best;
}

static void judging_is_quick(void **state)
{
	const struct {
		const char *what;
		double most;
		struct rules_request q;
	} cases[] = {
		{ "method, path", 5000, { .method = "GET", .target = SLICE("/repos/some-owner/some-repository/issues?page=2") } },
		{ "GraphQL", 100000, { .method = "POST", .target = SLICE("/graphql"), .content_type = SLICE("application/json"),
			.body = SLICE("{\"query\":\"query Q($n: Int!) { viewer { repositories(first: $n) { nodes { id name } } } }\","
				      "\"variables\":{\"n\":10}}") } },
		{ "MCP call", 100000, { .method = "POST", .target = SLICE("/mcp"),
			.body = SLICE("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"read_file\","
				      "\"arguments\":{\"path\":\"/etc/hosts\"}}}") } },
	};
	struct target t = { .rules = { 0, 1, 2 }, .n_rules = 3, .rule = 1 };
	struct diags d = { 0 };
	struct world w = { 0 };

	(void)state;
	buf_str(&w.text, simple);
	assert_true(world_compile(&w, &d));
	diags_done(&d);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		double ns = time_of(&w, &t, &cases[i].q);

		print_message("# %s: %.0f ns a judgement\n", cases[i].what, ns);
		assert_true(ns < cases[i].most);
	}
	world_done(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_mean_what_the_policy_means),
		cmocka_unit_test(judging_is_quick),
	};

	if (rules_init() < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
