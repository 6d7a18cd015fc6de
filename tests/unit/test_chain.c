/* SPDX-License-Identifier: Apache-2.0 */
/* The chain of a log: what the page says is what the functions do, and what was touched no longer fits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "chain.h"

#include <cmocka.h>

#define FIRST "607ca6addc015e6bd181f4700e76996f0a2361ee7a2e4b2dbe5d7dd2f948d448"
#define SECOND "8bf5c5a344835c32556216cf8b04d5f86c18afcae370f582286a042dfc536c96"

static const char *const lines[] = { "{\"a\":1", "{\"a\":2,\"b\":\"x\"", "{\"c\":3" };

static void make(char tails[3][CHAIN_TAIL])
{
	uint8_t chain[HASH_LEN] = { 0 };

	for (int i = 0; i < 3; i++)
		assert_int_equal(chain_next(chain, lines[i], strlen(lines[i]), tails[i]), 0);
}

/* printf '{"a":1' after 32 zero bytes, by sha256sum; then that digest and the second line. */
static void test_known(void **state)
{
	char tails[3][CHAIN_TAIL];

	(void)state;
	make(tails);
	assert_memory_equal(tails[0], ",\"chain\":\"" FIRST "\"}\n", CHAIN_TAIL);
	assert_memory_equal(tails[1], ",\"chain\":\"" SECOND "\"}\n", CHAIN_TAIL);
}

static void test_tail(void **state)
{
	char tails[3][CHAIN_TAIL], bad[CHAIN_TAIL];
	uint8_t chain[HASH_LEN] = { 0 }, read[HASH_LEN];
	char again[CHAIN_TAIL];

	(void)state;
	make(tails);
	assert_true(chain_tail(tails[0], chain));
	assert_int_equal(chain_next(chain, lines[1], strlen(lines[1]), again), 0);
	assert_memory_equal(again, tails[1], CHAIN_TAIL);
	for (int i = 0; i < CHAIN_TAIL; i++) {	/* no byte may be another */
		memcpy(bad, tails[0], sizeof(bad));
		bad[i] = 'G';
		assert_false(chain_tail(bad, read));
	}
}

/* A line that is changed, left out, repeated or moved changes every digest behind it. */
static void test_touched(void **state)
{
	static const int orders[][3] = { { 0, 2, -1 }, { 1, 0, 2 }, { 0, 1, 1 }, { 0, 0, 1 } };
	char tails[3][CHAIN_TAIL], other[CHAIN_TAIL];

	(void)state;
	make(tails);
	for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++) {
		uint8_t chain[HASH_LEN] = { 0 };

		for (int k = 0; k < 3 && orders[i][k] >= 0; k++)
			chain_next(chain, lines[orders[i][k]], strlen(lines[orders[i][k]]), other);
		assert_memory_not_equal(other, tails[2], CHAIN_TAIL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_tail),
		cmocka_unit_test(test_touched),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
