/* SPDX-License-Identifier: Apache-2.0 */
/* The bounded matcher against the plain recursive meaning, on random patterns and paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "osh/glob.h"

#include <cmocka.h>

static int meaning(const char *p, const char *s)
{
	if (!*p)
		return !*s;
	if (p[0] == '*' && p[1] == '*')
		return meaning(p + 2, s) || (*s && meaning(p, s + 1));
	if (p[0] == '*')
		return meaning(p + 1, s) || (*s && *s != '/' && meaning(p, s + 1));
	return *s && (*p == *s || (*p == '?' && *s != '/')) && meaning(p + 1, s + 1);
}

static int match(const char *pattern, const char *path)
{
	char p[OSH_PATH_MAX] = "", s[OSH_PATH_MAX] = "";

	strcpy(p, pattern);
	strcpy(s, path);
	return glob_match(p, s);
}

static void cases(void **state)
{
	static const struct { const char *pattern, *path; int want; } table[] = {
		{ "/usr/bin/*", "/usr/bin/git", 1 },
		{ "/usr/bin/*", "/usr/bin/a/git", 0 },
		{ "/usr/**", "/usr/bin/a/git", 1 },
		{ "/usr/**", "/usr", 0 },
		{ "/usr/**", "/usr/", 1 },
		{ "/usr/**/git", "/usr/git", 0 },
		{ "/usr/**/git", "/usr/a/b/git", 1 },
		{ "/usr/**/git", "/usr/a/git/b/git", 1 },
		{ "/usr/**/git", "/usr/a/git/b/got", 0 },
		{ "/a/*-?/x", "/a/one-1/x", 1 },
		{ "/a/*-?/x", "/a/one-/x", 0 },
		{ "/a/?/x", "/a///x", 0 },
		{ "/a***b", "/a/x/b", 1 },
		{ "**", "/anything/at/all", 1 },
		{ "*", "/x", 0 },
		{ "", "", 1 },
		{ "", "/", 0 },
		{ "/a", "/ab", 0 },
		{ "/ab", "/a", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
		if (match(table[i].pattern, table[i].path) != table[i].want)
			print_error("%s ~ %s\n", table[i].pattern, table[i].path);
		assert_int_equal(match(table[i].pattern, table[i].path), table[i].want);
	}
}

static uint64_t seed = 88172645463325252ull;

static unsigned rnd(unsigned n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % n;
}

static void word(char *to, const char *alphabet, unsigned max)
{
	unsigned n = rnd(max + 1), k = (unsigned)strlen(alphabet);

	for (unsigned i = 0; i < n; i++)
		to[i] = alphabet[rnd(k)];
	to[n] = 0;
}

static void random_patterns(void **state)
{
	int yes = 0, tired = 0;

	(void)state;
	for (int i = 0; i < 2000000; i++) {
		char p[32], s[32];
		int got;

		word(p, "aab/**?", 10);
		word(s, "aab/", 14);
		got = match(p, s);
		tired += got == GLOB_MORE;
		if (got != meaning(p, s)) {
			print_error("'%s' ~ '%s': %d\n", p, s, got);
			fail();
		}
		yes += got == GLOB_YES;
	}
	assert_true(yes > 100000);
	assert_int_equal(tired, 0);
}

static void longest_and_hardest(void **state)
{
	char p[OSH_PATH_MAX] = "", s[OSH_PATH_MAX];

	(void)state;
	memset(s, 'a', sizeof(s));
	s[sizeof(s) - 1] = 0;
	memcpy(p, s, sizeof(p));
	assert_int_equal(glob_match(p, s), GLOB_YES);
	strcpy(p, "**");
	assert_int_equal(glob_match(p, s), GLOB_YES);
	strcpy(p, "**a*a*a*a*a*a*b");		/* gives up rather than running on */
	assert_int_not_equal(glob_match(p, s), GLOB_YES);
}

int main(void)
{
	static const struct CMUnitTest all[] = {
		cmocka_unit_test(cases),
		cmocka_unit_test(random_patterns),
		cmocka_unit_test(longest_and_hardest),
	};

	return cmocka_run_group_tests(all, NULL, NULL);
}
