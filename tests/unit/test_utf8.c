/* SPDX-License-Identifier: Apache-2.0 */
/* What is left of text from anywhere is valid UTF-8 without controls, and valid text is left as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

#include <cmocka.h>			/* last: it defines fail() */

static void cleans(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "", "" },
		{ "plain /a b~", "plain /a b~" },
		{ "/home/j\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x90\xa7", "/home/j\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x90\xa7" },
		{ "a\x1b[31m\x7f\n", "a?[31m??" },
		{ "\xc2\x9b", "??" },		       /* CSI as one character */
		{ "cut \xe2\x82", "cut ??" },	       /* within a character */
		{ "\xc0\xaf \xe0\x80\xaf", "?? ???" }, /* not the shortest form */
		{ "\xed\xa0\x80", "???" },	       /* a surrogate */
		{ "\xf4\x90\x80\x80 \xff\xfe", "???? ??" },
		{ "\x80\xbf", "??" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(text, sizeof(text), "%s", cases[i].in);
		utf8_clean(text);
		assert_string_equal(text, cases[i].out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(cleans) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
