/* SPDX-License-Identifier: Apache-2.0 */
/* What a person reads of a limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "budget.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static void amounts(void **state)
{
	static const struct {
		enum osh_count what;
		uint64_t v;
		const char *want;
	} all[] = {
		{ OSH_COUNT_REQUESTS, 0, "0" }, { OSH_COUNT_TOKENS, 1200000, "1200000" }, { OSH_COUNT_TOKENS, UINT64_MAX, "18446744073709551615" },
		{ OSH_COUNT_MONEY, 0, "0" }, { OSH_COUNT_MONEY, 1, "0.000001" }, { OSH_COUNT_MONEY, 2500000, "2.5" },
		{ OSH_COUNT_MONEY, 20000000, "20" }, { OSH_COUNT_MONEY, 100, "0.0001" }, { OSH_COUNT_MONEY, UINT64_MAX, "18446744073709.551615" },
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		budget_amount(text, sizeof(text), all[i].what, all[i].v);
		assert_string_equal(text, all[i].want);
	}
}

static void texts(void **state)
{
	static const char strings[] = "\0gpt";
	static const struct osh_b_route routes[] = { { .name = 1 } };
	static const struct bundle b = { .strings = strings, .n_strings = sizeof(strings), .routes = routes, .n_routes = 1 };
	struct osh_b_budget l = { .most = 5000, .what = OSH_COUNT_TOKENS, .per = OSH_WINDOW_DAY, .user = 1, .route = 1 };
	char text[BUDGET_TEXT];

	(void)state;
	budget_text(text, sizeof(text), &b, &l);
	assert_string_equal(text, "5000 tokens a day of all sandboxes of the user, route gpt");
	l = (struct osh_b_budget){ .most = 250000, .what = OSH_COUNT_MONEY, .per = OSH_WINDOW_MINUTE };
	budget_text(text, sizeof(text), &b, &l);
	assert_string_equal(text, "0.25 of money a minute of this sandbox");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(amounts), cmocka_unit_test(texts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
