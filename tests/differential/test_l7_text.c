/* SPDX-License-Identifier: Apache-2.0 */
/* The egress' own readers of patterns and paths against those of the policy's meaning, on random text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "canon.h"
#include "eval.h"
#include "own.h"
#include "pattern.h"
#include "rules/parts.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static unsigned pick(unsigned n)
{
	return (unsigned)random() % n;
}

static size_t random_pattern(char *out, bool longish)
{
	static const char *const parts[] = { "a", "b", "/", ".", "*", "**", "***", "?", "[ab]", "[!a]", "[^/b]", "[a-c]",
					     "\\*", "\\a", "[\\]a]", "[a\\-b]", "[b-a]", "]", "{", "-", "[-a]", "[a-]" };
	size_t n = 0;

	for (unsigned i = 0, k = longish ? 60 + pick(120) : pick(10); i < k; i++) {
		const char *s = parts[pick(longish ? 8 : ARRAY_SIZE(parts))];

		memcpy(out + n, s, strlen(s));
		n += strlen(s);
	}
	out[n] = 0;
	return n;
}

static size_t random_text(char *out, size_t most)
{
	size_t n = pick((unsigned)most);

	for (size_t i = 0; i < n; i++)
		out[i] = "aabbc/.*]-"[pick(10)];
	out[n] = 0;
	return n;
}

/* Texts that meet the pattern are rare, so one is made from the pattern half of the time. */
static size_t text_like(const char *p, char *out)
{
	size_t n = 0;

	for (; *p; p++)
		if (*p == '*')
			for (unsigned i = pick(3); i; i--)
				out[n++] = 'a';
		else if (!strchr("[]!^\\", *p))
			out[n++] = *p == '?' ? 'a' : *p;
	out[n] = 0;
	return n;
}

static void patterns(void **state)
{
	static const char seps[] = { '/', '.', 0 };
	unsigned met = 0, long_met = 0;

	(void)state;
	for (int i = 0; i < 400000; i++) {
		char pattern[1024], text[4096];
		bool longish = !pick(8);
		size_t n_pattern = random_pattern(pattern, longish);
		size_t n = pick(2) ? text_like(pattern, text) : random_text(text, longish ? 200 : 14);
		char sep = seps[pick(3)];
		struct pattern p = { .text = pattern };
		const char *alt = pattern;
		bool want, got;

		p.alts = (struct list){ &alt, 1 };
		want = pattern_match(&p, text, sep);
		got = text_meets(pattern, (struct slice){ text, n }, sep);
		if (want != got)
			fail_msg("'%s' on '%s' by '%c': %d, eval says %d", pattern, text, sep ? sep : '0', got, want);
		met += want;
		long_met += want && n_pattern > 140;
	}
	print_message("# %u met, %u of them long\n", met, long_met);
	assert_true(met > 20000 && long_met > 200);
}

static size_t random_target(char *out)
{
	static const char *const parts[] = {
		"/", "/", "/", "a", "b", ".", "..", "%2e", "%2E", ";", ";x=1", "%2f", "%2F", "%3b", "%3B", "%41", "%zz",
		"%", "%4", "%00", "%7f", "\x7f", "#", "\xc3", " ", "?", "q=1", "%25", "\"", "[", "%c3%a9", "~", "@", ":",
		"//", "/../", "/./", "\t", "+", "%2",
	};
	size_t n = 0;

	out[n++] = '/';
	for (unsigned i = 0, k = pick(12); i < k; i++) {
		const char *s = parts[pick(ARRAY_SIZE(parts))];

		memcpy(out + n, s, strlen(s));
		n += strlen(s);
	}
	while (!pick(400) && n < 3000)
		n += (size_t)sprintf(out + n, "%s", pick(2) ? "/abc/%41" : "%20/");
	if (!pick(200)) {
		size_t most = 4088 + pick(12);

		for (n = 1; n < most; n++)
			out[n] = out[n - 1] == '/' || pick(50) ? 'a' : '/';
		if (pick(2))
			memcpy(out + n - 3, "%20", 3);
	}
	return n;
}

static void paths(void **state)
{
	const struct canon_options keep = { .encoded_slash = true };
	unsigned good = 0, longest = 0;

	(void)state;
	for (int i = 0; i < 400000; i++) {
		char target[8192], want[CANON_MAX + 1], got[PATH_BYTES + 1];
		struct slice s = { target, random_target(target) };
		enum canon_error e = canon_path(s, &keep, want);
		bool ok = path_canonical(s, got);

		if (ok != (e == CANON_OK) || (ok && strcmp(want, got)))
			fail_msg("%.*s: %s, eval says %s %s", (int)s.n, s.p, ok ? got : "none", canon_error_name(e),
				 e == CANON_OK ? want : "");
		good += ok;
		longest += ok && strlen(got) > 4090;
	}
	print_message("# %u canonical, %u of nearly full length\n", good, longest);
	assert_true(good > 50000 && longest > 20);
}

int main(void)
{
	const char *seed = getenv("OSH_SEED");
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns),
		cmocka_unit_test(paths),
	};

	srandom(seed ? (unsigned)atoi(seed) : 20265);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
