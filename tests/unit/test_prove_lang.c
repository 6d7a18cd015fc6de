/* SPDX-License-Identifier: Apache-2.0 */
/* The prover's languages against the matchers of eval: a word has the memberships that eval gives it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "canon.h"
#include "eval.h"
#include "own.h"
#include "../../userspace/prove/lang.h"

static uint32_t seed = 7;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 1664525u + 1013904223u;
	return (seed >> 8) % n;
}

static void random_text(const char *of, size_t max, char *ret)
{
	size_t n = rnd((uint32_t)max);

	for (size_t i = 0; i < n; i++)
		ret[i] = of[rnd((uint32_t)strlen(of))];
	ret[n] = 0;
}

/* Globs over few letters, so that they meet the texts. */
static void random_glob(char *ret)
{
	static const char *const bits[] = { "a", "b", "/", "*", "**", "?", "[ab]", "[!a]", "\\*", "." };

	*ret = 0;
	for (uint32_t n = rnd(7); n; n--)
		strcat(ret, bits[rnd(ARRAY_SIZE(bits))]);
}

static bool plain(const char *glob, const char *text, char sep)
{
	struct arena a = { 0 };
	struct pattern p;
	bool hit = pattern_parse(&a, glob, &p) == PATTERN_OK && pattern_match(&p, text, sep);

	arena_done(&a);
	return hit;
}

static void has_what_eval_matches(void **state)
{
	static const char seps[] = { '/', '.', 0 };

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char glob[64], text[16];
		const char *alts[] = { glob };
		struct lang_atom atom = { alts, 1, seps[rnd(3)], false, false };

		random_glob(glob);
		random_text("ab/.*", 8, text);
		if (lang_has(&atom, text) != plain(glob, text, atom.sep))
			fail_msg("'%s' on '%s', sep %d", glob, text, atom.sep);
	}
}

static void root_of_a_subtree(void **state)
{
	const char *alts[] = { "/x/*/**" };
	struct lang_atom with = { alts, 1, '/', true, false }, without = { alts, 1, '/', false, false };

	(void)state;
	assert_true(lang_has(&with, "/x/y") && !lang_has(&without, "/x/y"));
	assert_true(lang_has(&with, "/x/y/z") && lang_has(&without, "/x/y/z"));
	assert_false(lang_has(&with, "/x"));
}

/* Whatever is found has the memberships; and where brute force finds a word, so does the search. */
static void finds_what_is_there(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		char globs[4][64], word[LANG_WORD];
		const char *alts[4];
		struct lang_atom atoms[4];
		const struct lang_atom *in[4], *out[4];
		struct lang_question q = { .base = LANG_PATH, .in = in, .out = out };
		const char *not[] = { "/a", "/b" };
		enum lang_answer r;
		bool brute = false;

		q.not = not;
		q.n_not = rnd(3);
		for (int k = 0; k < 4; k++) {
			globs[k][0] = '/';
			random_glob(globs[k] + 1);
			alts[k] = globs[k];
			atoms[k] = (struct lang_atom){ &alts[k], 1, '/', false, false };
			if (rnd(2))
				in[q.n_in++] = &atoms[k];
			else
				out[q.n_out++] = &atoms[k];
		}
		r = lang_find(&q, word);
		assert_int_not_equal(r, LANG_UNKNOWN);
		if (r == LANG_FOUND) {
			assert_true(lang_is(LANG_PATH, word));
			for (uint32_t k = 0; k < q.n_in; k++)
				assert_true(plain(*q.in[k]->alts, word, '/'));
			for (uint32_t k = 0; k < q.n_out; k++)
				assert_false(plain(*q.out[k]->alts, word, '/'));
			for (uint32_t k = 0; k < q.n_not; k++)
				assert_string_not_equal(word, not[k]);
		}
		for (int t = 0; t < 300 && !brute && r == LANG_NONE; t++) {
			char text[16] = "/";

			random_text("ab/.", 7, text + 1);
			brute = lang_is(LANG_PATH, text);
			for (uint32_t k = 0; k < q.n_in && brute; k++)
				brute = plain(*q.in[k]->alts, text, '/');
			for (uint32_t k = 0; k < q.n_out && brute; k++)
				brute = !plain(*q.out[k]->alts, text, '/');
			for (uint32_t k = 0; k < q.n_not && brute; k++)
				brute = strcmp(text, not[k]) != 0;
		}
		assert_false(brute);
	}
}

/* A canonical path is its own canonical form; nothing else is one, whatever escapes it has. */
static void paths_are_canonical(void **state)
{
	static const char *const parts[] = { "/", ".", "..", "a", "%2F", "%20", "%3B", "%41", "%2E", "%7F", "%FF", "%2f", "%",
					     "%1F", "%25", ":", "[", ";", "%5B", "~" };
	const struct canon_options o = { .encoded_slash = true };
	unsigned yes = 0, no = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char text[64] = "/", canonical[CANON_MAX + 1];
		bool is;

		for (unsigned n = rnd(6); n; n--)
			strcat(text, parts[rnd(sizeof(parts) / sizeof(*parts))]);
		is = canon_path((struct slice){ text, strlen(text) }, &o, canonical) == CANON_OK && !strcmp(text, canonical);
		if (lang_is(LANG_PATH_ESCAPED, text) != is)
			fail_msg("'%s' is %sa canonical path", text, is ? "" : "not ");
		is ? yes++ : no++;
	}
	assert_true(yes > 1000 && no > 1000);
}

static void escapes_are_found(void **state)
{
	static const struct {
		const char *in, *out, *word;
	} rows[] = {
		{ "/a%20b", "/x", "/a%20b" }, { "/a%41b", "/x", NULL }, { "/a%2?b", "/a%20b", "/a%22b" },
		{ "/%*", "/%2F*", "/%20" }, { "/a%3Bb", "/x", "/a%3Bb" }, { "/.%3B", "/x", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct lang_atom in = { &rows[i].in, 1, '/', false, false }, out = { &rows[i].out, 1, '/', false, false };
		const struct lang_atom *ins[] = { &in }, *outs[] = { &out };
		const struct lang_question q = { .base = LANG_PATH, .in = ins, .n_in = 1, .out = outs, .n_out = 1 };
		char word[LANG_WORD];

		assert_int_equal(lang_find(&q, word), rows[i].word ? LANG_FOUND : LANG_NONE);
		if (rows[i].word && strlen(word) != strlen(rows[i].word))
			fail_msg("%s: found %s", rows[i].in, word);
	}
}

/* What escapes stand for, as a name in a path is read. */
static bool decode(const char *path, char *ret)
{
	for (; *path; path++) {
		if (*path != '%') {
			*ret++ = *path;
			continue;
		}
		if (!path[1] || !strchr("0123456789ABCDEF", path[1]) || !path[2] || !strchr("0123456789ABCDEF", path[2]))
			return false;
		*ret++ = (char)strtoul((char[]){ path[1], path[2], 0 }, NULL, 16);
		path += 2;
	}
	*ret = 0;
	return true;
}

static void reads_what_escapes_stand_for(void **state)
{
	static const char *const parts[] = { "/", "a", "b", "%2F", "%3B", "%5B", "%20", "%", "2", "B", "%2", "." };
	static const char *const globs[] = { "/", "a", "b", "*", "?", "[ab]", "[!a]", ";", "[;a]", "\\[", " ", "2", "%", "." };
	unsigned yes = 0;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char text[64] = "", glob[64] = "", means[64];
		const char *alts[] = { glob };
		const struct lang_atom atom = { .alts = alts, .n = 1, .decoded = true };
		bool is;

		for (uint32_t n = rnd(6); n; n--)
			strcat(text, parts[rnd(ARRAY_SIZE(parts))]);
		for (uint32_t n = rnd(6); n; n--)
			strcat(glob, globs[rnd(ARRAY_SIZE(globs))]);
		is = decode(text, means) && plain(glob, means, 0);
		yes += is;
		if (lang_has(&atom, text) != is)
			fail_msg("'%s' on '%s', decoded", glob, text);
	}
	assert_true(yes > 1000);
}

/* A name that its path holds escaped is found, and what is found is such a path. */
static void finds_names_in_paths(void **state)
{
	static const struct {
		const char *in, *out, *word;
	} rows[] = {
		{ "/m/a;b", "/x", "/m/a%3Bb" },	       { "/m/a?b", "/m/a???b", "/m/a%23b" },  { "/m/a?3Bb", "/x", "/m/axx3Bb" },
		{ "/m/[;x]", "/m/x", "/m/%3B" },       { "/m/a/b", "/m/a/b", "/m/a%2Fb" },    { "/m/[^!-~]", "/x", "/m/%20" },
		{ "/m/\\[a\\]", "/x", "/m/%5Ba%5D" }, { "/a", "/a", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct lang_atom in = { .alts = &rows[i].in, .n = 1, .decoded = true };
		const struct lang_atom out = { .alts = &rows[i].out, .n = 1 };
		const struct lang_atom *ins[] = { &in }, *outs[] = { &out };
		const struct lang_question q = { .base = LANG_PATH, .in = ins, .n_in = 1, .out = outs, .n_out = 1 };
		char word[LANG_WORD];

		assert_int_equal(lang_find(&q, word), rows[i].word ? LANG_FOUND : LANG_NONE);
		if (rows[i].word && (!lang_is(LANG_PATH_ESCAPED, word) || !lang_has(&in, word) || lang_has(&out, word)))
			fail_msg("%s: found %s", rows[i].in, word);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_what_eval_matches),
		cmocka_unit_test(root_of_a_subtree),
		cmocka_unit_test(finds_what_is_there),
		cmocka_unit_test(paths_are_canonical),
		cmocka_unit_test(escapes_are_found),
		cmocka_unit_test(reads_what_escapes_stand_for),
		cmocka_unit_test(finds_names_in_paths),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
