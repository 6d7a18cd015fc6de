/* SPDX-License-Identifier: Apache-2.0 */
/* Request targets: canonical form, refusals, and that a canonical path stays as it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "canon.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define S 1	/* keep %2F */
#define P 2	/* keep ;params */

static const struct {
	const char *raw;
	unsigned how;
	const char *path;		/* NULL: refused with error */
	enum canon_error error;
} cases[] = {
/* clang-format off */
	{ "/", 0, "/", 0 },			{ "/a/b", 0, "/a/b", 0 },
	{ "/a/./b/.", 0, "/a/b/", 0 },		{ "/a/b/../..", 0, "/", 0 },
	{ "/a//b///", 0, "/a/b/", 0 },		{ "http://h", 0, "/", 0 },
	{ "HTTP+x://h:1/a", 0, "/a", 0 },	{ "http://h?q=/../..", 0, "/", 0 },
	{ "/a?b=../..", 0, "/a", 0 },		{ "/%61%2D%7e", 0, "/a-~", 0 },
	{ "/%c3%a9", 0, "/%C3%A9", 0 },		{ "/%3a%40%26", 0, "/:@&", 0 },
	{ "/a%3Bb", 0, "/a%3Bb", 0 },		{ "/a;b", 0, "/a", 0 },
	{ "/a;b", P, "/a;b", 0 },		{ "/x/..%3Bq/y", 0, "/y", 0 },
	{ "/x/..;q/y", P, "/y", 0 },		{ "/a/;p/b", 0, "/a/b", 0 },
	{ "/...", 0, "/...", 0 },		{ "/.a/..b", 0, "/.a/..b", 0 },
	{ "/a%5C..%5Cb", 0, "/a%5C..%5Cb", 0 },	{ "/a\"<>\\^`{|}", 0, "/a%22%3C%3E%5C%5E%60%7B%7C%7D", 0 },
	{ "/a%2fb", S, "/a%2Fb", 0 },		{ "/a%252f", 0, "/a%252f", 0 },
	{ "/a%2fb", 0, NULL, CANON_ENCODED_SLASH },	{ "/a%2f..", S, NULL, CANON_RESIDUAL_DOT },
	{ "/%2f.", S, NULL, CANON_RESIDUAL_DOT },	{ "/.%2f", S, NULL, CANON_RESIDUAL_DOT },
	{ "/a%2f..%2fb", S, NULL, CANON_RESIDUAL_DOT },	{ "/..", 0, NULL, CANON_ABOVE_ROOT },
	{ "/%2e%2E/a", 0, NULL, CANON_ABOVE_ROOT },	{ "/a/..;/..", 0, NULL, CANON_ABOVE_ROOT },
	{ "/a%", 0, NULL, CANON_ESCAPE },		{ "/a%4", 0, NULL, CANON_ESCAPE },
	{ "/a%zz", 0, NULL, CANON_ESCAPE },		{ "/a%00", 0, NULL, CANON_CONTROL },
	{ "/a%7F", 0, NULL, CANON_CONTROL },		{ "/a b", 0, NULL, CANON_CONTROL },
	{ "/a#b", 0, NULL, CANON_FRAGMENT },		{ "/\xc3\xa9", 0, NULL, CANON_NON_ASCII },
	{ "a", 0, NULL, CANON_FORM },			{ "*", 0, NULL, CANON_FORM },
	{ "", 0, "/", 0 },			{ "?a", 0, "/", 0 },
/* clang-format on */
};

static struct canon_options how_of(unsigned how)
{
	return (struct canon_options){ .encoded_slash = how & S, .keep_params = how & P };
}

static void has_one_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct canon_options o = how_of(cases[i].how);
		char path[CANON_MAX + 1], again[CANON_MAX + 1];
		enum canon_error e = canon_path(slice_of(cases[i].raw), &o, path);

		if (e != cases[i].error || (e == CANON_OK && strcmp(path, cases[i].path)))
			fail_msg("'%s': %s %s", cases[i].raw, canon_error_name(e), e ? "" : path);
		if (e != CANON_OK)
			continue;
		assert_int_equal(canon_path(slice_of(path), &o, again), CANON_OK);
		assert_string_equal(path, again);
	}
}

static void length_is_bounded(void **state)
{
	const struct canon_options o = { 0 };
	char raw[CANON_MAX + 2], path[CANON_MAX + 1];

	(void)state;
	memset(raw, 'a', sizeof(raw));
	raw[0] = '/';
	assert_int_equal(canon_path((struct slice){ raw, CANON_MAX }, &o, path), CANON_OK);
	assert_int_equal(canon_path((struct slice){ raw, CANON_MAX + 1 }, &o, path), CANON_LONG);
	raw[1] = '{';			/* grows by two when it is escaped */
	assert_int_equal(canon_path((struct slice){ raw, CANON_MAX }, &o, path), CANON_LONG);
	assert_int_equal(canon_path((struct slice){ raw, CANON_MAX - 2 }, &o, path), CANON_OK);
	raw[1] = 0;
	assert_int_equal(canon_path((struct slice){ raw, 3 }, &o, path), CANON_CONTROL);
}

static void canonical_stays(void **state)
{
	static const char *const pieces[] = { "/", ".", "..", "%2e", "%2F", "%3b", ";", "a", "%41", "{", "%7B" };
	unsigned good = 0;

	(void)state;
	srandom(3);
	for (int i = 0; i < 200000; i++) {
		struct canon_options o = how_of((unsigned)random() % 4);
		char raw[64] = "/", path[CANON_MAX + 1], again[CANON_MAX + 1];

		for (int k = 0; k < 10; k++)
			strcat(raw, pieces[(size_t)random() % ARRAY_SIZE(pieces)]);
		if (canon_path(slice_of(raw), &o, path) != CANON_OK)
			continue;
		good++;
		if (canon_path(slice_of(path), &o, again) != CANON_OK || strcmp(path, again))
			fail_msg("'%s' -> '%s' -> '%s'", raw, path, again);
	}
	assert_true(good > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_one_form),
		cmocka_unit_test(length_is_bounded),
		cmocka_unit_test(canonical_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
