/* SPDX-License-Identifier: Apache-2.0 */
/* The address guard: every special prefix, its edges, and the IPv6 forms that carry IPv4. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <arpa/inet.h>

#include "../../userspace/egress/addr.h"
#include "own.h"

#include <cmocka.h>			/* last: it defines fail() */

static struct ip ip(const char *s)
{
	struct in_addr four;
	struct ip a;

	if (inet_pton(AF_INET, s, &four) == 1)
		return ip_from4(&four);
	assert_int_equal(inet_pton(AF_INET6, s, a.b), 1);
	return a;
}

static void classes(void **state)
{
	static const struct {
		const char *addr;
		enum addr_class want;
	} cases[] = {
		{ "1.1.1.1", ADDR_PUBLIC }, { "9.255.255.255", ADDR_PUBLIC },
		{ "11.0.0.0", ADDR_PUBLIC }, { "223.255.255.255", ADDR_PUBLIC },
		{ "0.0.0.0", ADDR_FORBIDDEN }, { "0.1.2.3", ADDR_FORBIDDEN },
		{ "10.0.0.0", ADDR_PRIVATE }, { "10.255.255.255", ADDR_PRIVATE },
		{ "100.63.255.255", ADDR_PUBLIC }, { "100.64.0.0", ADDR_PRIVATE },
		{ "100.127.255.255", ADDR_PRIVATE }, { "100.128.0.0", ADDR_PUBLIC },
		{ "100.100.100.200", ADDR_FORBIDDEN }, { "100.100.100.201", ADDR_PRIVATE },
		{ "127.0.0.1", ADDR_FORBIDDEN }, { "127.255.255.255", ADDR_FORBIDDEN },
		{ "128.0.0.0", ADDR_PUBLIC }, { "168.63.129.16", ADDR_FORBIDDEN },
		{ "169.254.169.254", ADDR_FORBIDDEN }, { "169.254.0.1", ADDR_FORBIDDEN },
		{ "172.15.255.255", ADDR_PUBLIC }, { "172.16.0.0", ADDR_PRIVATE },
		{ "172.31.255.255", ADDR_PRIVATE }, { "172.32.0.0", ADDR_PUBLIC },
		{ "192.0.0.192", ADDR_FORBIDDEN }, { "192.0.2.1", ADDR_PRIVATE },
		{ "192.168.1.1", ADDR_PRIVATE }, { "192.169.0.0", ADDR_PUBLIC },
		{ "198.17.255.255", ADDR_PUBLIC }, { "198.18.0.1", ADDR_PRIVATE },
		{ "198.19.255.255", ADDR_PRIVATE }, { "198.20.0.0", ADDR_PUBLIC },
		{ "203.0.113.9", ADDR_PRIVATE }, { "224.0.0.1", ADDR_FORBIDDEN },
		{ "239.255.255.255", ADDR_FORBIDDEN }, { "240.0.0.1", ADDR_FORBIDDEN },
		{ "255.255.255.255", ADDR_FORBIDDEN },
		{ "::", ADDR_FORBIDDEN }, { "::1", ADDR_FORBIDDEN },
		{ "::127.0.0.1", ADDR_FORBIDDEN }, { "::1.1.1.1", ADDR_FORBIDDEN },
		{ "::ffff:127.0.0.1", ADDR_FORBIDDEN }, { "::ffff:1.1.1.1", ADDR_PUBLIC },
		{ "64:ff9b::1.1.1.1", ADDR_PUBLIC }, { "64:ff9b::127.0.0.1", ADDR_FORBIDDEN },
		{ "64:ff9b::10.1.1.1", ADDR_PRIVATE }, { "64:ff9b::a9fe:a9fe", ADDR_FORBIDDEN },
		{ "64:ff9b:1::1", ADDR_PRIVATE }, { "100::1", ADDR_FORBIDDEN },
		{ "2001::1", ADDR_PRIVATE }, { "2001:db8::1", ADDR_PRIVATE },
		{ "2001:4860:4860::8888", ADDR_PUBLIC }, { "2002:101:101::1", ADDR_PUBLIC },
		{ "2002:7f00:1::1", ADDR_FORBIDDEN }, { "2002:c0a8:101::1", ADDR_PRIVATE },
		{ "2606:4700::1111", ADDR_PUBLIC }, { "3fff::1", ADDR_PRIVATE },
		{ "4000::1", ADDR_PRIVATE }, { "5f00::1", ADDR_PRIVATE },
		{ "fc00::1", ADDR_PRIVATE }, { "fd00:ec2::254", ADDR_FORBIDDEN },
		{ "fd00:ec2::253", ADDR_PRIVATE }, { "fd20:ce::254", ADDR_FORBIDDEN },
		{ "fe80::1", ADDR_FORBIDDEN }, { "febf::1", ADDR_FORBIDDEN },
		{ "fec0::1", ADDR_PRIVATE }, { "ff02::1", ADDR_FORBIDDEN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip a = ip(cases[i].addr);

		if (addr_class(&a) != cases[i].want)
			fail_msg("%s is %d", cases[i].addr, addr_class(&a));
	}
}

static void allowed_ips_open_and_restrict(void **state)
{
	static const struct osh_b_upstream list[] = {
		{ { [10] = 0xff, 0xff, 10, 1 }, 112, 1, 443, 0 },
		{ { [10] = 0xff, 0xff, 127 }, 104, 1, 443, 0 },
		{ { [10] = 0xff, 0xff, 9 }, 104, 2, 443, 0 },
	};
	static const struct {
		uint32_t host, port;
		const char *addr;
		enum osh_reason want;
	} cases[] = {
		{ 1, 443, "10.1.2.3", OSH_WHY_ALLOWED },
		{ 1, 443, "10.2.2.3", OSH_WHY_ADDR_NOT_LISTED },
		{ 1, 443, "1.1.1.1", OSH_WHY_ADDR_NOT_LISTED },
		{ 1, 443, "127.0.0.1", OSH_WHY_ADDR_FORBIDDEN },
		{ 1, 80, "10.1.2.3", OSH_WHY_ADDR_PRIVATE },
		{ 1, 80, "1.1.1.1", OSH_WHY_ALLOWED },
		{ 2, 443, "9.9.9.9", OSH_WHY_ALLOWED },
		{ 2, 443, "10.1.2.3", OSH_WHY_ADDR_NOT_LISTED },
		{ 3, 443, "10.1.2.3", OSH_WHY_ADDR_PRIVATE },
		{ 3, 443, "1.1.1.1", OSH_WHY_ALLOWED },
	};
	struct bundle b = { .upstream = list, .n_upstream = ARRAY_SIZE(list) };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip a = ip(cases[i].addr);

		if (addr_judge(&b, cases[i].host, (uint16_t)cases[i].port, &a) != cases[i].want)
			fail_msg("case %zu", i);
	}
}

static void control_plane_ports(void **state)
{
	static const uint16_t no[] = { 0, 2379, 2380, 6443, 10250, 10255 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_true(addr_port_forbidden(no[i]));
	assert_false(addr_port_forbidden(443));
	assert_false(addr_port_forbidden(10251));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes),
		cmocka_unit_test(allowed_ips_open_and_restrict),
		cmocka_unit_test(control_plane_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
