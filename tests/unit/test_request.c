/* SPDX-License-Identifier: Apache-2.0 */
/* What never crosses: fields of one connection, and fields that rename what was judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "http/request.h"
#include "own.h"

#include <cmocka.h>	/* last: it defines a macro called fail */

static void what_was_judged_is_what_is_meant(void **state)
{
	static const struct {
		const char *name;
		bool crosses;
	} cases[] = {
		{ "accept", true },		     { "x-http-method-override", false },
		{ "x-http-method", false },	     { "x-method-override", false },
		{ "x_http_method_override", false }, { "x-http_method-override", false },
		{ "x-original-url", false },	     { "x_rewrite_url", false },
		{ "x-http-methods", true },	     { "connection", false },
		{ "proxy_authorization", false },    { "http2-settings", false },
		{ "x-original-urls", true },	     { "-", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct head h = { 0 };

		assert_true(head_add(&h, SLICE("x-first"), SLICE("1")));
		assert_true(head_add(&h, slice_of(cases[i].name), SLICE("DELETE")));
		request_clean(&h, false);
		if ((head_find(&h, cases[i].name, 0) != NULL) != cases[i].crosses)
			fail_msg("%s", cases[i].name);
		assert_non_null(head_find(&h, "x-first", 0));
		/* Servers that join trailers to the head would read them there. */
		assert_true(head_add(&h, slice_of(cases[i].name), SLICE("DELETE")));
		trailers_clean(&h);
		if (!cases[i].crosses)
			assert_null(head_find(&h, cases[i].name, 0));
		assert_non_null(head_find(&h, "x-first", 0));
		head_done(&h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_judged_is_what_is_meant),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
