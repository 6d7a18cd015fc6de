/* SPDX-License-Identifier: Apache-2.0 */
/* The keys that leave a terminal: what goes on, what waits, however the bytes are cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../userspace/oshctl/detach.h"
#include "own.h"

#include <cmocka.h>		/* last: it names a macro `fail` */

static const struct {
	const char *keys, *bytes;	/* bytes: NULL = refused */
} parsed[] = {
	{ "ctrl-p,ctrl-q", "\020\021" }, { "", "" }, { "a", "a" }, { "ctrl-a,d", "\001d" },
	{ "ctrl-\\", "\034" }, { "ctrl-]", "\035" }, { "ctrl-_", "\037" }, { "a,b,c,d,e,f,g,h", "abcdefgh" },
	{ "ctrl-", NULL }, { "ctrl-1", NULL }, { "ctrl-ab", NULL }, { "ab", NULL }, { "a,", NULL }, { ",a", NULL },
	{ "a,,b", NULL }, { " ", NULL }, { "a,b,c,d,e,f,g,h,i", NULL }, { "\x80", NULL }, { ",", NULL },
};

static void parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(parsed); i++) {
		struct detach d;
		struct err e;
		int r = detach_parse(&d, parsed[i].keys, &e);

		if ((r == 0) != !!parsed[i].bytes)
			fail_msg("'%s': %d", parsed[i].keys, r);
		if (r == 0) {
			assert_int_equal(d.n, strlen(parsed[i].bytes));
			assert_memory_equal(d.keys, parsed[i].bytes, d.n);
		}
	}
}

static const struct {
	const char *keys, *in, *out;	/* what goes on, up to the keys */
	bool detached;
} cases[] = {
	{ "ctrl-p,ctrl-q", "abc", "abc", false },
	{ "ctrl-p,ctrl-q", "ab\020\021cd", "ab", true },
	{ "ctrl-p,ctrl-q", "\020", "", false },		/* waits */
	{ "ctrl-p,ctrl-q", "\020x", "\020x", false },
	{ "ctrl-p,ctrl-q", "\020\020\021", "\020", true },
	{ "ctrl-p,ctrl-q", "\021\020\020\020x\021", "\021\020\020\020x\021", false },
	{ "a,a,b", "aaab", "a", true },
	{ "a,b,a,c", "ababac", "ab", true },
	{ "a,b,a,c", "abaabac", "aba", true },
	{ "a,b,a,c", "ababx", "ababx", false },
	{ "x", "x", "", true },
	{ "", "\020\021", "\020\021", false },
};

/* In pieces of every size: the answer is the same. */
static void filter(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t piece = 1; piece <= strlen(cases[i].in); piece++) {
			char out[64 + DETACH_KEYS], all[64] = "";
			size_t n = strlen(cases[i].in), used = 0;
			bool detached = false;
			struct detach d;
			struct err e;

			assert_int_equal(detach_parse(&d, cases[i].keys, &e), 0);
			for (size_t at = 0; at < n && !detached; at += piece) {
				size_t m = n - at < piece ? n - at : piece;
				size_t got = detach_filter(&d, cases[i].in + at, m, out, &detached);

				assert_true(got <= m + DETACH_KEYS);
				memcpy(all + used, out, got);
				used += got;
			}
			if (detached != cases[i].detached || used != strlen(cases[i].out) ||
			    memcmp(all, cases[i].out, used))
				fail_msg("case %zu in pieces of %zu: %zu bytes, %d", i, piece, used, detached);
		}
}

/* Nothing is ever lost or made up: what went on and what waits is what came. */
static void any_bytes(void **state)
{
	static const char keys[] = "abab";
	struct detach d = { .keys = "abac", .n = 4 };

	(void)state;
	srand(1);
	for (int round = 0; round < 2000; round++) {
		char in[32], out[32 + DETACH_KEYS], all[64];
		size_t held = d.seen;
		bool detached;
		size_t n = (size_t)(rand() % 31) + 1, got;

		for (size_t i = 0; i < n; i++)
			in[i] = keys[rand() % 4] + (rand() % 8 ? 0 : 2);
		memcpy(all, d.keys, held);
		memcpy(all + held, in, n);
		got = detach_filter(&d, in, n, out, &detached);
		assert_memory_equal(out, all, got);
		if (detached) {
			assert_memory_equal(all + got, d.keys, d.n);
			d.seen = 0;
			continue;
		}
		assert_int_equal(got + d.seen, held + n);
		assert_memory_equal(all + got, d.keys, d.seen);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse),
		cmocka_unit_test(filter),
		cmocka_unit_test(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
