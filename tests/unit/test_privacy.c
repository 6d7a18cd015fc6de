/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules about content and texts that are made to take long, or much memory: seconds of processor time, where what walks twice
 * takes days. And places that the differential test meets too seldom.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "bundle.h"
#include "infer/privacy.h"
#include "osh/limits.h"
#include "own.h"
#include "policy.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

#define SECONDS 60			/* of the processor, for all of a test */

struct world {
	struct buf bytes;
	struct bundle b;
};

/* One rule, as a policy has it. */
static void world_new(struct world *w, const char *rule)
{
	struct diags d = { 0 };
	struct buf text = { 0 };
	struct err e = { 0 };

	*w = (struct world){ 0 };
	buf_printf(&text, "inference:\n  routes: [{name: a, api: openai, host: a.test}]\n  privacy: [{name: r, %s}]\n", rule);
	if (policy_compile((struct slice){ text.p, text.n }, &d, &w->bytes) < 0)
		fail_msg("does not compile: %s", rule);
	if (bundle_open_mem(&w->b, w->bytes.p, w->bytes.n, &e) < 0)
		fail_msg("%s", e.text);
	diags_done(&d);
	buf_done(&text);
}

static void world_done(struct world *w)
{
	bundle_done(&w->b);
	buf_done(&w->bytes);
}

/* `piece` again and again up to the size of a body, then `end`. */
static struct slice again(const char *piece, const char *end)
{
	size_t n = OSH_INFERENCE_BODY, len = strlen(piece), rest = strlen(end);
	char *p = malloc(n);

	assert_non_null(p);
	n -= (n - rest) % len;
	for (size_t i = 0; i < n - rest; i += len)
		memcpy(p + i, piece, len);
	memcpy(p + n - rest, end, rest);
	return (struct slice){ p, n };
}

/* The default action of SIGPROF ends the test. */
static void within(unsigned seconds)
{
	struct itimerval t = { .it_value = { .tv_sec = seconds } };

	assert_int_equal(setitimer(ITIMER_PROF, &t, NULL), 0);
}

static void nothing_is_walked_twice(void **state)
{
	static const struct {
		const char *rule, *piece, *end;
		uint64_t n;
	} all[] = {
		{ "kinds: [secrets], action: refuse", "sk-", "", 0 },
		{ "kinds: [secrets], action: refuse", "xoxb-", "", 0 },
		{ "kinds: [secrets], action: refuse", "xapp-", "", 0 },
		{ "kinds: [secrets], action: refuse", "npm_", "", 0 },
		{ "kinds: [secrets], action: refuse", "sk-", ".1", 0 },
		{ "kinds: [secrets], action: refuse", "-eyJ", ".eyJx", 0 },
		{ "kinds: [secrets], action: refuse", "eyJ", ".eyJx", 0 },
		{ "kinds: [secrets], action: refuse", "eyJ.", "", 0 },
		{ "kinds: [secrets], action: refuse", "-----BEGIN A", "", 0 },
		{ "kinds: [secrets, email], action: refuse", "sk-", "@example.org", 1 },
		{ "kinds: [email], action: refuse", "a.", "@1", 0 },
		{ "kinds: [email], action: refuse", "a@", "", 0 },
		{ "kinds: [email], patterns: ['a?c'], action: refuse", "abc", "@example.org", 1 },
		{ "patterns: ['a*.b*'], action: refuse", "a", "", 0 },
		{ "patterns: ['a*.b*'], action: refuse", "a", ".c", 0 },
		{ "patterns: ['a*.b*.c'], action: refuse", "ab", ".bbbb.d", 0 },
		{ "patterns: ['a*.??????????*!'], action: refuse", "a.", "", 0 },
	};

	(void)state;
	within(SECONDS);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct slice text = again(all[i].piece, all[i].end);
		struct privacy_rule r;
		struct world w;
		uint64_t n;

		world_new(&w, all[i].rule);
		privacy_prepare(&w.b, 0, &r);
		n = privacy_find(&r, 0, text, NULL);
		if (n != all[i].n)
			fail_msg("%s, %s: %llu", all[i].rule, all[i].piece, (unsigned long long)n);
		world_done(&w);
		free((char *)text.p);
	}
	within(0);
}

static void redacts(void **state)
{
	static const struct {
		const char *rule, *text, *want;
	} all[] = {
		{ "kinds: [secrets, email], action: redact", "-----BEGIN RSA PRIVATE KEY-----x-----END RSA PRIVATE KEY-----ann@example.org",
		  "[redacted: r][redacted: r]" },
		{ "kinds: [email], patterns: ['x y'], action: redact", "x yann@example.org", "[redacted: r][redacted: r]" },
		{ "kinds: [email], patterns: ['x y'], action: redact", "x y@example.org", "[redacted: r]@example.org" },
		{ "kinds: [email], patterns: ['b@c'], action: redact", "b@c.de@example.org", "[redacted: r]@example.org" },
		{ "kinds: [email], patterns: ['x b@c'], action: redact", "x b@c.de@example.org", "[redacted: r][redacted: r]" },
		{ "kinds: [email], action: redact", "a@b.com@b.co", "[redacted: r]@b.co" },
		{ "kinds: [jwt], action: redact", "eyJ.eyJabcdefghijklmnopqrstuvwxyz.eyJabcdefghijklmnopqrstuvwxyz.x", "[redacted: r].x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct buf json = { 0 }, want = { 0 }, out = { 0 };
		struct privacy found = { 0 };
		size_t at = 0;
		struct world w;

		world_new(&w, all[i].rule);
		buf_printf(&json, "{\"a\": \"%s\"}", all[i].text);
		buf_printf(&want, "{\"a\": \"%s\"}", all[i].want);
		assert_int_equal(privacy_look(&w.b, (struct slice){ json.p, json.n }, 0, &found), PRIVACY_READ);
		assert_true(privacy_redact(&w.b, (struct slice){ json.p, json.n }, 0, &at, &out));
		buf_put(&out, "", 1);
		buf_put(&want, "", 1);
		assert_string_equal(out.p, want.p);
		buf_done(&out);
		buf_done(&want);
		buf_done(&json);
		world_done(&w);
	}
}

/* What only shows where a text is read as JSON once more, or without colours, is not replaced: it stops the call. */
static void looks_deeper(void **state)
{
	static const struct {
		const char *text;	/* as the body has it */
		uint64_t found;
		bool changes, stops;
	} all[] = {
		{ "ann@example.org", 1, true, false },
		{ "{\\\"a\\\": \\\"ann@example.org\\\"}", 1, true, false },
		{ "{\\\"a\\\": \\\"ann\\\\u0040example.org\\\"}", 1, false, true },
		{ "ann\\\\\\\\u0040example.org", 1, false, true },
		{ "ann\\\\\\\\\\\\\\\\u0040example.org", 1, false, true },
		{ "ann\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\\u0040example.org", 0, false, false },
		{ "x@y.org ann\\\\u0040example.org", 2, true, true },
		{ "ann@exam\\u001b[1;31mple.org", 1, false, true },
		{ "ann@exam\\u001b[1;31", 0, false, false },
		{ "\\\\u001b[mann@\\\\u001b[31mexample.org", 1, false, true },
		{ "\\\\d+\\\\.[a-z] C:\\\\users\\\\new", 0, false, false },
	};
	struct world w;

	(void)state;
	world_new(&w, "kinds: [email], action: redact");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct privacy found = { 0 };
		struct buf json = { 0 };

		buf_printf(&json, "{\"a\": \"%s\"}", all[i].text);
		assert_int_equal(privacy_look(&w.b, (struct slice){ json.p, json.n }, 0, &found), PRIVACY_READ);
		if (found.found[0] != all[i].found || !found.changes == all[i].changes || !found.stops == all[i].stops ||
		    found.deep != found.stops)
			fail_msg("%s: %llu, %x, %x, %x", all[i].text, (unsigned long long)found.found[0], found.changes, found.stops,
				 found.deep);
		buf_done(&json);
	}
	world_done(&w);
}

/* What is found as it is written, and is nothing any more where escapes are read, does not make up for what shows only there. */
static void nothing_is_set_off(void **state)
{
	static const struct {
		const char *rule, *text;	/* as the body has it */
		bool changes, stops;
	} all[] = {
		{ "kinds: [secrets], action: redact",
		  "{\\\"d\\\":\\\"\\\\u0041sk-abcdefghij0123456789abcd\\\",\\\"k\\\":\\\"s\\\\u006b-ant-api03-abcdefghij0123456789\\\"}", true, true },
		{ "kinds: [secrets], action: redact", "{\\\"d\\\":\\\"\\\\u0041sk-abcdefghij0123456789abcd\\\"}", true, false },
		{ "kinds: [secrets], action: redact",
		  "\\\\nsk-abcdefghij0123456789abcd \\\\\\\\u0041sk-abcdefghij0123456789abcd s\\\\\\\\u006b-abcdefghij0123456789abcd", true, true },
		{ "kinds: [secrets], action: redact", "\\u001b[31msk-abcdefghij0123456789abcd", false, true },
		{ "kinds: [secrets], action: redact", "{\\\"k\\\":\\\"sk-abcdefghij0123456789abcd\\\", \\\"x\\\": \\\"a\\\\nb\\\"}", true, false },
		{ "patterns: ['[!a]b'], action: redact", "b \\\\n\xc3\xa9" "b x\\\\u0062", true, true },
		{ "patterns: ['b '], action: redact", "b a\\\\u000ab ", true, false },
		{ "kinds: [email], action: redact", "\\u001b[\\\\u0061nn@example.org", true, false },
		{ "patterns: [u0061], action: redact", "\\\\u0061", true, false },
		{ "patterns: [axe], action: redact", "\\u001b[\\\\u0061xe", false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct privacy found = { 0 };
		struct buf json = { 0 };
		struct world w;

		world_new(&w, all[i].rule);
		buf_printf(&json, "{\"arguments\": \"%s\"}", all[i].text);
		assert_int_equal(privacy_look(&w.b, (struct slice){ json.p, json.n }, 0, &found), PRIVACY_READ);
		if (!found.changes == all[i].changes || !found.stops == all[i].stops)
			fail_msg("%s: %llu, %x, %x", all[i].text, (unsigned long long)found.found[0], found.changes, found.stops);
		buf_done(&json);
		world_done(&w);
	}
}

/* Escapes of escapes without end: each level is read once. */
static void deep_is_not_long(void **state)
{
	struct slice text = again("\\\\", "\"}");
	struct privacy found = { 0 };
	struct world w;

	(void)state;
	memcpy((char *)text.p, "{\"a\":\"  ", 8);
	world_new(&w, "kinds: [secrets, email], action: refuse");
	within(SECONDS);
	assert_int_equal(privacy_look(&w.b, text, 0, &found), PRIVACY_READ);
	within(0);
	assert_int_equal(found.found[0], 0);
	world_done(&w);
	free((char *)text.p);
}

/* What is to be replaced is kept until it is: so many, and no more. */
static void more_than_can_be_replaced(void **state)
{
	struct slice text = again("7", "\"}");
	struct buf out = { .limit = OSH_INFERENCE_BODY };
	struct privacy found = { 0 };
	struct world w;
	size_t at = 0;

	(void)state;
	memcpy((char *)text.p, "{\"a\":\"", 6);
	world_new(&w, "patterns: ['[0-9]'], action: redact");
	within(SECONDS);
	assert_int_equal(privacy_look(&w.b, text, 0, &found), PRIVACY_READ);
	assert_int_equal(found.spans, text.n - 8);
	assert_int_equal(found.spans, found.found[0]);
	assert_false(privacy_redact(&w.b, text, 0, &at, &out));
	within(0);
	buf_done(&out);
	world_done(&w);
	free((char *)text.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_is_walked_twice), cmocka_unit_test(redacts),
					    cmocka_unit_test(looks_deeper), cmocka_unit_test(nothing_is_set_off),
					    cmocka_unit_test(deep_is_not_long), cmocka_unit_test(more_than_can_be_replaced) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
