/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON writer: commas, escapes, and the latch that turns a nesting mistake into an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "json.h"

static void writes_nested_values(void **state)
{
	struct buf b = { 0 };
	struct json j = json_to_buf(&b);

	(void)state;
	json_obj(&j);
	json_kv_str(&j, "a", "x");
	json_key(&j, "b");
	json_arr(&j);
	json_u64(&j, 1);
	json_i64(&j, -2);
	json_obj(&j);
	json_end(&j);
	json_end(&j);
	json_kv_bool(&j, "c", true);
	json_kv_str(&j, "d", NULL);
	json_end(&j);
	assert_int_equal(json_line(&j), 0);
	buf_put(&b, "", 1);
	assert_string_equal(b.p, "{\"a\":\"x\",\"b\":[1,-2,{}],\"c\":true,\"d\":null}\n");
	buf_done(&b);
}

static void escapes_every_byte(void **state)
{
	struct buf b = { 0 };
	struct json j = json_to_buf(&b);

	(void)state;
	json_str(&j, "q\" \\ \n \0 \x7f \x80\xff ~", 15);
	assert_int_equal(json_line(&j), 0);
	buf_put(&b, "", 1);
	assert_string_equal(b.p,
			    "\"q\\\" \\\\ \\u000a \\u0000 \\u007f \\u0080\\u00ff ~\"\n");
	buf_done(&b);
}

static void misuse_latches(void **state)
{
	struct buf b = { 0 }, small = { .limit = 4 };
	struct json j = json_to_buf(&b);

	(void)state;
	json_obj(&j);
	json_u64(&j, 1);		/* a value without a key */
	json_end(&j);
	assert_true(json_line(&j) < 0);
	j = json_to_buf(&b);
	json_arr(&j);
	assert_true(json_line(&j) < 0);	/* not closed */
	j = json_to_buf(&b);
	for (int i = 0; i <= JSON_DEPTH; i++)
		json_arr(&j);
	assert_true(j.bad);
	j = json_to_buf(&small);
	json_text(&j, "too long");
	assert_true(json_line(&j) < 0);
	buf_done(&b);
	buf_done(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_nested_values),
		cmocka_unit_test(escapes_every_byte),
		cmocka_unit_test(misuse_latches),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
