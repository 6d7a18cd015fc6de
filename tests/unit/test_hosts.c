/* SPDX-License-Identifier: Apache-2.0 */
/* The operator's upstream hosts (strict) and resolv.conf (lenient). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>

#include "hosts.h"
#include "../../userspace/egress/resolv.h"
#include "own.h"

#include <cmocka.h>			/* last: it defines fail() */

static void reads_every_form(void **state)
{
	struct hosts h = { 0 };
	struct err e = { 0 };
	size_t at = 0;
	const struct hosts_entry *x;

	(void)state;
	assert_int_equal(hosts_parse(&h, SLICE("# comment\n\n127.0.0.1:8443\tA.example. b.example # x\r\n"
					       "::1 a.example\n[2001:db8::1]:99 a.example\n"
					       "[::2] c.example"), &e), 0);
	assert_int_equal(h.n, 5);
	x = hosts_next(&h, "a.example", &at);
	assert_true(x && x->port == 8443 && ip_is4(&x->addr) && x->addr.b[12] == 127);
	x = hosts_next(&h, "a.example", &at);
	assert_true(x && x->port == 0 && x->addr.b[15] == 1);
	x = hosts_next(&h, "a.example", &at);
	assert_true(x && x->port == 99 && x->addr.b[0] == 0x20);
	assert_null(hosts_next(&h, "a.example", &at));
	hosts_done(&h);
}

static void knows_the_proxy(void **state)
{
	static const struct {
		const char *name;
		bool proxied;
	} cases[] = {
		{ "a.example", true }, { "x.corp.example", false }, { "corp.example", true }, { "xcorp.example", true },
		{ "one.example", false }, { "z.one.example", true }, { "", true },
	};
	struct hosts h = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(hosts_parse(&h, SLICE("a.b 1"), &e), -EINVAL);
	assert_int_equal(hosts_parse(&h, SLICE("10.1.2.3:3128 @proxy\n@direct .Corp.example one.example\n@direct two.example"), &e), 0);
	assert_int_equal(h.proxy.port, 3128);
	assert_int_equal(h.n, 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (hosts_proxied(&h, cases[i].name) != cases[i].proxied)
			fail_msg("%s", cases[i].name);
	hosts_done(&h);
	assert_false(hosts_proxied(&h, "a.example"));
}

static void refuses_what_it_does_not_know(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "127.0.0.1\n", "1: address without a name" },
		{ "\n127.0.0 a\n", "2: not ADDR" },
		{ "127.0.0.1:0 a", "not ADDR" }, { "127.0.0.1:65536 a", "not ADDR" },
		{ "127.0.0.1: a", "not ADDR" }, { "127.0.0.1:+1 a", "not ADDR" },
		{ "[::1 a", "not ADDR" }, { "[::1]x a", "not ADDR" }, { "[::1]: a", "not ADDR" },
		{ "[127.0.0.1]:1 a", "not ADDR" }, { "a.example 127.0.0.1", "not ADDR" },
		{ "1.2.3.4 a..b", "not a host name" }, { "1.2.3.4 .a", "not a host name" },
		{ "1.2.3.4 *.a", "not a host name" }, { "1.2.3.4 ok b\x80", "not a host name" },
		{ "1.2.3.4 .", "not a host name" },	{ "1.2.3.4 @proxy", "wants ADDR:PORT" },
		{ "1.2.3.4:1 @proxy\n1.2.3.4:2 @proxy", "2: a second @proxy" },
		{ "@direct", "without a name" }, { "@direct a..b", "not a host name" }, { "@proxy 1.2.3.4:1", "not ADDR" },
		{ "1.2.3.4 @direct", "not a host name" }, { "fe80::1%eth0 a", "not ADDR" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct hosts h = { 0 };
		struct err e = { 0 };

		if (hosts_parse(&h, slice_of(cases[i].text), &e) >= 0 || !strstr(e.text, cases[i].says))
			fail_msg("'%s' says '%s'", cases[i].text, e.text);
		assert_null(h.e);
	}
}

static void names_have_limits(void **state)
{
	char long_label[70], out[OSH_NAME_MAX];

	(void)state;
	memset(long_label, 'a', sizeof(long_label));
	assert_true(hosts_name((struct slice){ long_label, 63 }, out));
	assert_false(hosts_name((struct slice){ long_label, 64 }, out));
	assert_false(hosts_name(SLICE(""), out));
	assert_false(hosts_name(SLICE("a\0b"), out));
}

static void takes_nameservers_only(void **state)
{
	struct ip s[RESOLV_SERVERS];

	(void)state;
	assert_int_equal(resolv_parse(SLICE("search x\nnameserver 9.9.9.9\nnameserver\t ::1 # x\n"
					    "nameserver fe80::1%eth0\n nameserver 1.1.1.1\n"
					    "nameserver8.8.8.8\nnameserver bad\nnameserver 8.8.4.4"), s), 3);
	assert_int_equal(s[0].b[15], 9);
	assert_int_equal(s[1].b[15], 1);
	assert_int_equal(s[2].b[15], 4);
	assert_int_equal(resolv_parse(SLICE(""), s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_form), cmocka_unit_test(knows_the_proxy),
		cmocka_unit_test(refuses_what_it_does_not_know),
		cmocka_unit_test(names_have_limits),
		cmocka_unit_test(takes_nameservers_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
