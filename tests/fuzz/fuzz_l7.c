/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The comparison of tests/differential/test_l7.c with the fuzzer's bytes as its choices: a policy and
 * requests, judged by the meaning and by the tables. Then the same bytes, raw, as bodies and targets of
 * a request: any answer will do, as long as it is one and a denial says why.
 */
#include "../differential/l7_request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const uint8_t *at, *end;

static unsigned pick(unsigned n)
{
	return at < end ? *at++ % n : 0;
}

static void must(bool ok)
{
	if (!ok)
		__builtin_trap();
}

static void raw(const struct world *w, const struct target *t, const uint8_t *data, size_t n)
{
	static const char *const sent[] = { "GET", "POST", "WEBSOCKET_TEXT" };
	size_t half = n / 2;

	for (size_t i = 0; i < ARRAY_SIZE(sent); i++) {
		struct rules_request q = { .method = sent[i], .message = i == 2,
					   .target = { (const char *)data, half },
					   .body = { (const char *)data + half, n - half },
					   .content_type = SLICE("application/json") };
		struct rules_answer a;

		rules_judge(&w->b, t, &q, &a);
		must(a.why != OSH_WHY_NONE && (a.verdict != OSH_ALLOW || a.why == OSH_WHY_ALLOWED));
		must(strlen(a.path) <= 4096 && a.rule <= w->b.n_rules && a.l7 <= w->b.n_l7);
		q.target = SLICE("/a/b");
		rules_judge(&w->b, t, &q, &a);
		must(a.why != OSH_WHY_NONE && (a.verdict != OSH_ALLOW || a.why == OSH_WHY_ALLOWED));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static bool seeded;
	struct world w;
	bool other;

	if (!seeded)
		must(rules_init() == 0);
	seeded = true;
	at = data;
	end = data + n;
	if (!world_new(&w, &other)) {
		must(!other);
		world_done(&w);
		return 0;
	}
	for (int i = 0; i < 8; i++) {
		struct rules_answer got;
		struct question q;

		question_new(&q, &w);
		if (q.t.n_rules)
			must(!question_differs(&q, &w, &got));
		if (i == 7)
			raw(&w, &q.t, data, n);
		question_done(&q);
	}
	world_done(&w);
	return 0;
}
