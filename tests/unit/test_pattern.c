/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns: what they match, what is malformed, and whether two can mean one text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "eval.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static const struct {
	const char *pattern, *text;
	char sep;
	bool want;
} matches[] = {
/* clang-format off */
	{ "/repos/*/issues", "/repos/o/issues", '/', true },
	{ "/repos/*/issues", "/repos/o/r/issues", '/', false },
	{ "/repos/**", "/repos/", '/', true },
	{ "/repos/**", "/repos", '/', false },
	{ "/**/info/refs*", "/o/r.git/info/refs", '/', true },
	{ "**", "/anything/at/all", '/', true },
	{ "/a/?", "/a/b", '/', true },		{ "/a/?", "/a/", '/', false },
	{ "/a?b", "/a/b", '/', false },		{ "/a/[bc]", "/a/c", '/', true },
	{ "/a/[!bc]", "/a/c", '/', false },	{ "/a/[^bc]", "/a/d", '/', true },
	{ "/a[!b]c", "/a/c", '/', false },	{ "v[0-9]", "v7", '.', true },
	{ "[a-c-]", "-", 0, true },		{ "[]", "", 0, false },
	{ "{a,b}/c", "b/c", '/', true },	{ "{a,b}/c", "c/c", '/', false },
	{ "{a,{b,c}d}", "cd", 0, true },	{ "x{,y}", "x", 0, true },
	{ "\\*", "*", 0, true },		{ "\\*", "x", 0, false },
	{ "a\\{b", "a{b", 0, true },		{ "[{,}]", ",", 0, true },
	{ "1.*", "1.2", '.', true },		{ "1.*", "1.2.3", '.', false },
	{ "1.*", "1.2.3", 0, true },		{ "foo-*", "foo-", '.', true },
	{ "*", "", '.', true },			{ "foo-*", "foo-a/b", '.', true },
	{ "*.s3.*.example.com", "b.s3.eu.example.com", '.', true },
	{ "*.s3.*.example.com", "b.s3.d.eu.example.com", '.', false },
	{ "*-x.example.com", "eu-x.example.com", '.', true },
	{ "a**b", "a/x/b", '/', true },		{ "*a**b*", "xaybz", '/', true },
/* clang-format on */
};

static void matches_by_the_book(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		struct arena a = { 0 };
		struct pattern p;
		enum pattern_error e = pattern_parse(&a, matches[i].pattern, &p);

		if (e == PATTERN_OK && pattern_match(&p, matches[i].text, matches[i].sep) != matches[i].want)
			fail_msg("'%s' on '%s'", matches[i].pattern, matches[i].text);
		if (e != PATTERN_OK && matches[i].want)
			fail_msg("'%s': %s", matches[i].pattern, pattern_why(e));
		arena_done(&a);
	}
}

static void malformed_is_said(void **state)
{
	static const struct {
		const char *text;
		enum pattern_error want;
	} cases[] = {
		{ "{a", PATTERN_BRACES }, { "a}", PATTERN_BRACES }, { "{a,{b}", PATTERN_BRACES },
		{ "[a", PATTERN_CLASS },  { "[]", PATTERN_CLASS },  { "[!]", PATTERN_CLASS },
		{ "a\\", PATTERN_CLASS }, { "[a}b]", PATTERN_OK },  { "{a,b}{c,d}", PATTERN_OK },
		{ "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", PATTERN_MANY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena a = { 0 };
		struct pattern p;

		if (pattern_parse(&a, cases[i].text, &p) != cases[i].want)
			fail_msg("'%s'", cases[i].text);
		arena_done(&a);
	}
}

static void random_text(char *out, const char *from, unsigned max)
{
	unsigned n = (unsigned)random() % (max + 1);

	for (unsigned i = 0; i < n; i++)
		out[i] = from[(unsigned)random() % strlen(from)];
	out[n] = 0;
}

/* Every text of up to five letters: two patterns overlap where one of them is matched by both. */
static void overlap_is_a_common_text(void **state)
{
	static const char letters[] = "ab/";
	unsigned yes = 0;

	(void)state;
	srandom(11);
	for (int i = 0; i < 4000; i++) {
		struct arena a = { 0 };
		char x[8], y[8], t[8];
		struct pattern p, q;
		bool common = false;

		random_text(x, "ab/*?", 5);
		random_text(y, "ab/*?", 5);
		assert_int_equal(pattern_parse(&a, x, &p), PATTERN_OK);
		assert_int_equal(pattern_parse(&a, y, &q), PATTERN_OK);
		for (unsigned k = 0; k < 1024 && !common; k++) {
			unsigned v = k, n = 0;

			for (; v; v /= 4)
				if (v % 4)
					t[n++] = letters[v % 4 - 1];
			t[n] = 0;
			common = pattern_match(&p, t, 0) && pattern_match(&q, t, 0);
		}
		if (pattern_overlaps(&p, &q) < common)
			fail_msg("'%s' and '%s' have '%s' in common", x, y, t);
		if (pattern_overlaps(&p, &q) && !common && strlen(x) + strlen(y) <= 5)
			fail_msg("'%s' and '%s' have nothing in common", x, y);
		yes += common;
		arena_done(&a);
	}
	assert_true(yes > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(matches_by_the_book),
		cmocka_unit_test(malformed_is_said),
		cmocka_unit_test(overlap_is_a_common_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
