/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner that keeps secrets out of answers: every form found, nothing whole ever let through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cred/scan.h"

static const char secret[] = "sk-ant-aB3/x+9=Zz~q~q~r";

static void set_of(struct scanner **ret, const char *text)
{
	struct scanner *s;

	assert_int_equal(scanner_new(&s, scanner_forms_size(strlen(text))), 0);
	*ret = s;
	scanner_add_forms(s, slice_of(text), 7);
	assert_int_equal(scanner_ready(s), 0);
}

/* Feeds in pieces; what may be passed on never holds the needle. Returns the tag. */
static uint16_t feed(struct scanner *s, const char *text, size_t n, size_t piece, size_t *passed)
{
	struct scan c;
	uint16_t tag = 0;

	*passed = 0;
	assert_int_equal(scan_start(&c, s), 0);
	for (size_t at = 0; at < n && !tag; at += piece) {
		size_t len = n - at < piece ? n - at : piece;
		uint64_t held = 0;

		tag = scan_feed(&c, (struct slice){ text + at, len }, &held);
		if (!tag) {
			assert_true(held <= at + len);
			assert_true(at + len - held >= *passed);	/* what was passed is never called back */
			*passed = at + len - held;
		}
	}
	scan_done(&c);
	return tag;
}

static const struct {
	const char *what, *text, *needle;
} said[] = {
	{ "itself", "{\"key\":\"sk-ant-aB3/x+9=Zz~q~q~r\"}", "sk-ant-aB3/x+9=Zz~q~q~r" },
	{ "percent", "a=1&k=sk%2Dant-aB3%2fx%2B9%3DZz~q%7Eq~r&", "sk%2Dant-aB3%2fx%2B9%3DZz~q%7Eq~r" },
	{ "base64 0", "c2stYW50LWFCMy94Kzk9Wnp+cX5xfnI=", "c2stYW50LWFCMy94Kzk9Wnp+cX5xfn" },
	{ "base64 1", "eHNrLWFudC1hQjMveCs5PVp6fnF+cX5y", "NrLWFudC1hQjMveCs5PVp6fnF+cX5y" },
	{ "base64 2", "eHhzay1hbnQtYUIzL3grOT1aen5xfnF+cg==", "ay1hbnQtYUIzL3grOT1aen5xfnF+c" },
	{ "base64 url", "c2stYW50LWFCMy94Kzk9Wnp-cX5xfnI", "c2stYW50LWFCMy94Kzk9Wnp-cX5xfn" },
	{ "base64 in lines", "c2stYW50\r\nLWFCMy94Kzk9\r\nWnp+cX5xfnI=", "c2stYW50\r\nLWFCMy94Kzk9\r\nWnp+cX5xfn" },
	{ "hex", "736b2d616e742d6142332f782b393d5a7a7e717e717e72", "736b2d616e742d6142332f782b393d5a7a7e717e717e72" },
	{ "JSON", "{\"k\":\"\\u0073k-ant-aB3\\/x\\u002B9=Zz~q~q~r\"}", "\\u0073k-ant-aB3\\/x\\u002B9=Zz~q~q~r" },
	{ "JavaScript", "'sk\\x2dant-aB3\\x2Fx+9\\x3dZz~q~q~r'", "sk\\x2dant-aB3\\x2Fx+9\\x3dZz~q~q~r" },
	{ "HTML", "<p>sk-ant-aB3&#x2F;x&#43;9&equals;Zz~q&#126;q~r</p>", "sk-ant-aB3&#x2F;x&#43;9&equals;Zz~q&#126;q~r" },
	{ "base64 in JSON lines", "c2stYW50\\nLWFCMy94Kzk9\\r\\nWnp+cX5xfnI=", "c2stYW50\\nLWFCMy94Kzk9\\r\\nWnp+cX5xfn" },
	{ "an escape that is none before it", "\\u00&#&sk-ant-aB3/x+9=Zz~q~q~r", "sk-ant-aB3/x+9=Zz~q~q~r" },
	{ "after false starts", "sk-ant-aBsk-ant-aB3/x+9=Zz~q~qsk-ant-aB3/x+9=Zz~q~q~r", "sk-ant-aB3/x+9=Zz~q~q~r" },
	{ "escape that is none", "%2sk-ant-aB3/x+9=Zz~q~q~r", "sk-ant-aB3/x+9=Zz~q~q~r" },
};

static void finds_every_form(void **state)
{
	struct scanner *s;

	(void)state;
	set_of(&s, secret);
	for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
		for (size_t piece = 1; piece < 40; piece++) {
			const char *t = said[i].text, *needle = strstr(t, said[i].needle);
			size_t passed;

			assert_non_null(needle);
			if (feed(s, t, strlen(t), piece, &passed) != 7)
				fail_msg("%s in pieces of %zu not found", said[i].what, piece);
			/* The end of the needle never left, and while read bytewise nothing of it did. */
			assert_true(passed < (size_t)(needle - t) + strlen(said[i].needle));
			if (piece == 1 && passed > (size_t)(needle - t))
				fail_msg("%s: %zu bytes of it were let through", said[i].what,
					 passed - (size_t)(needle - t));
		}
	scanner_drop(s);
}

static void lets_the_rest_through(void **state)
{
	static const char *const fine[] = { "", "hello", "sk-ant-", "sk-ant-aB3/x+9=Zz~q~q~", "%", "%7", "%%%%%7%7%", "\\", "\\u", "\\u00g", "\\u0100", "&", "&#", "&#;", "&#x;", "&#xfff;", "&#0000000000043;", "&ampere;", "\\\\u",
					    "data: {\"x\":1}\n\n" };
	struct scanner *s;

	(void)state;
	set_of(&s, secret);
	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++)
		for (size_t piece = 1; piece < 10; piece++) {
			size_t passed;

			assert_int_equal(feed(s, fine[i], strlen(fine[i]), piece, &passed), 0);
		}
	scanner_drop(s);
}

/* An event stream must not wait for bytes that cannot be a secret. */
static void holds_nothing_back_needlessly(void **state)
{
	struct scanner *s;
	struct scan c;
	uint64_t held = 99;

	(void)state;
	set_of(&s, secret);
	assert_int_equal(scan_start(&c, s), 0);
	assert_int_equal(scan_feed(&c, SLICE("data: {\"x\":1}\n\n"), &held), 0);
	assert_int_equal(held, 0);
	assert_int_equal(scan_feed(&c, SLICE("....sk-"), &held), 0);
	assert_int_equal(held, 3);
	assert_int_equal(scan_feed(&c, SLICE("no"), &held), 0);
	assert_int_equal(held, 0);
	scan_done(&c);
	scanner_drop(s);
}

/* Zeros in a disk image, empty lines: whatever stands before a long run of them, little is held back. */
static void a_long_run_is_not_held(void **state)
{
	static const char *const before[] = { "s", "sk-", "sk%", "sk%2", "s\\", "s\\u0", "s&", "s&#4", "\\u0073", "%73" };
	static const struct { const char *text; size_t n; } runs[] = {
		{ "\0", 1 }, { "\n", 1 }, { "\r\n", 2 }, { "%0A", 3 }, { "%00", 3 }, { "\\n", 2 }, { "\\u0000", 6 }, { "&#10;", 5 },
	};
	struct scanner *s;

	(void)state;
	set_of(&s, secret);
	for (size_t b = 0; b < sizeof(before) / sizeof(before[0]); b++)
		for (size_t r = 0; r < sizeof(runs) / sizeof(runs[0]); r++) {
			uint64_t held = 0;
			struct scan c;

			assert_int_equal(scan_start(&c, s), 0);
			assert_int_equal(scan_feed(&c, slice_of(before[b]), &held), 0);
			for (int i = 0; i < 1000; i++) {
				assert_int_equal(scan_feed(&c, (struct slice){ runs[r].text, runs[r].n }, &held), 0);
				assert_true(held < 256);
			}
			assert_int_equal(scan_feed(&c, SLICE("sk-ant-aB3/x+9=Zz~q~q~r"), &held), 7);
			scan_done(&c);
		}
	scanner_drop(s);
}

/* Some servers answer in the charset that was asked for. */
static void finds_wide_text(void **state)
{
	struct scanner *s;

	(void)state;
	set_of(&s, secret);
	for (size_t wide = 2; wide <= 4; wide += 2)
		for (size_t piece = 1; piece < 9; piece++) {
			char text[sizeof(secret) * 4] = { 0 };
			size_t passed;

			for (size_t i = 0; i + 1 < sizeof(secret); i++)
				text[i * wide + (piece & 1 ? 0 : wide - 1)] = secret[i];
			assert_int_equal(feed(s, text, sizeof(text), piece, &passed), 7);
			assert_true(passed < wide);
		}
	scanner_drop(s);
}

/* Random texts of few letters against strstr(). */
static void agrees_with_strstr(void **state)
{
	(void)state;
	srandom(1);
	for (int round = 0; round < 3000; round++) {
		char needle[12] = { 0 }, text[64] = { 0 };
		struct scanner *s;
		size_t passed, n = 3 + (size_t)random() % 7;
		uint16_t tag;

		for (size_t i = 0; i < n; i++)
			needle[i] = (char)('a' + random() % 2);
		for (size_t i = 0; i + 1 < sizeof(text); i++)
			text[i] = (char)('a' + random() % 2);
		assert_int_equal(scanner_new(&s, 64), 0);
		scanner_add(s, slice_of(needle), 3);
		assert_int_equal(scanner_ready(s), 0);
		tag = feed(s, text, strlen(text), 1 + (size_t)random() % 9, &passed);
		assert_int_equal(tag, strstr(text, needle) ? 3 : 0);
		scanner_drop(s);
	}
}

static void a_full_set_is_refused(void **state)
{
	struct scanner *s;

	(void)state;
	assert_int_equal(scanner_new(&s, 4), 0);
	scanner_add(s, SLICE("too long"), 1);
	assert_true(scanner_ready(s) < 0);
	scanner_drop(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_form),	cmocka_unit_test(lets_the_rest_through),
		cmocka_unit_test(holds_nothing_back_needlessly), cmocka_unit_test(finds_wide_text), cmocka_unit_test(a_long_run_is_not_held), cmocka_unit_test(agrees_with_strstr),
		cmocka_unit_test(a_full_set_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
