// SPDX-License-Identifier: Apache-2.0
/*
 * The cage of the egress: a table of addresses, dialled from a process in the egress' cgroup. It runs
 * in an empty network namespace, so what the hooks let pass ends at a missing route.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "netrig.h"
#include "own.h"
#include "text.h"

#include <cmocka.h>			/* last: it has a macro fail() */

#define WHY(id) OSH_WHY_##id

static struct rig rig;
static struct rig_policy policy;

struct dial {
	const char *addr;
	int port, udp;
	unsigned why;			/* 0 = passes */
};

static int dial(struct rig *g, void *arg)
{
	const struct dial *d = arg;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(d->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(d->port) };
	int v6 = !!strchr(d->addr, ':'), r, s;
	int fd = socket(v6 ? AF_INET6 : AF_INET, d->udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	void *to = v6 ? (void *)&in6 : &in;
	socklen_t n = v6 ? sizeof(in6) : sizeof(in);

	(void)g;
	if (inet_pton(v6 ? AF_INET6 : AF_INET, d->addr, v6 ? (void *)&in6.sin6_addr : &in.sin_addr) != 1)
		return 253;
	if (unshare(CLONE_NEWNET) < 0)	/* nothing may leave, whatever the hooks say */
		return 252;
	close(fd);
	fd = socket(v6 ? AF_INET6 : AF_INET, d->udp ? SOCK_DGRAM : SOCK_STREAM, 0);
	r = connect(fd, to, n) < 0 ? errno : 0;
	if (!d->udp)
		return r;
	s = socket(v6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
	s = sendto(s, "x", 1, 0, to, n) < 0 ? errno : 0;
	return (r == EACCES) == (s == EACCES) ? r : 251;
}

static void check_all(const struct dial *d, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int got;

		kbpf_drop(rig.k, &rig.s, KMAP_DENIALS, 0);
		rig.k->sandboxes[RIG_SLOT].denials = 0;
		rig_forget_events(&rig);
		got = rig_in(&rig, rig.egress, NULL, dial, (void *)&d[i]);
		ring_buffer__consume(rig.deny);
		rig_read_allows(&rig);
		if (got > 200 || (got == EACCES) != !!d[i].why || rig.n_events != !!d[i].why ||
		    (d[i].why && rig.events[0].ev.why != d[i].why))
			fail_msg("%s port %d %s: errno %d, %d events, %s, want %s", d[i].addr, d[i].port,
				 d[i].udp ? "udp" : "tcp", got, rig.n_events,
				 rig.n_events ? reason_id(rig.events[0].ev.why) : "-", reason_id(d[i].why));
		if (d[i].why)
			assert_int_equal(rig.events[0].ev.kind, OSH_EV_EGRESS);
	}
}

static void special_addresses(void **state)
{
	static const struct dial cases[] = {
		{ "93.184.216.34", 443, 0, 0 },
		{ "2606:2800:220:1:248:1893:25c8:1946", 443, 0, 0 },
		{ "64:ff9b::5db8:d822", 443, 0, 0 },
		{ "93.184.216.34", 22, 0, WHY(PORT) },
		{ "93.184.216.34", 53, 0, WHY(PORT) },
		{ "0.0.0.0", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "0.1.2.3", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "10.0.0.1", 443, 0, WHY(ADDR_PRIVATE) },
		{ "100.64.0.1", 443, 0, WHY(ADDR_PRIVATE) },
		{ "100.127.255.255", 443, 0, WHY(ADDR_PRIVATE) },
		{ "100.128.0.1", 443, 0, 0 },
		{ "100.100.100.200", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "127.0.0.1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "169.254.169.254", 80, 0, WHY(ADDR_FORBIDDEN) },
		{ "172.15.0.1", 443, 0, 0 },
		{ "172.16.0.1", 443, 0, WHY(ADDR_PRIVATE) },
		{ "172.31.255.255", 443, 0, WHY(ADDR_PRIVATE) },
		{ "172.32.0.1", 443, 0, 0 },
		{ "192.0.0.192", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "192.0.2.1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "192.88.99.1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "192.168.1.1", 443, 0, WHY(ADDR_PRIVATE) },
		{ "198.18.0.1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "198.51.100.1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "203.0.113.1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "224.0.0.1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "240.0.0.1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "255.255.255.255", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "::", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "::1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "::ffff:127.0.0.1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "::ffff:10.0.0.1", 443, 0, WHY(ADDR_PRIVATE) },
		{ "::ffff:93.184.216.34", 443, 0, 0 },
		{ "::10.0.0.1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "64:ff9b::a00:1", 443, 0, WHY(ADDR_PRIVATE) },
		{ "64:ff9b::a9fe:a9fe", 80, 0, WHY(ADDR_FORBIDDEN) },
		{ "64:ff9b:1::1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "100::1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "2001::1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "2001:db8::1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "2001:4860:4860::8888", 443, 0, 0 },
		{ "2002:a00:1::1", 443, 0, WHY(ADDR_PRIVATE) },
		{ "2002:7f00:1::1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "2002:5db8:d822::1", 443, 0, 0 },
		{ "3fff::1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "3ffe::1", 443, 0, 0 },
		{ "5f00::1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "fc00::1", 443, 0, WHY(ADDR_PRIVATE) },
		{ "fd00:ec2::254", 80, 0, WHY(ADDR_FORBIDDEN) },
		{ "fe80::1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "fec0::1", 443, 0, WHY(ADDR_FORBIDDEN) },
		{ "ff02::1", 443, 0, WHY(ADDR_FORBIDDEN) },
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases));
}

static void policy_and_operator(void **state)
{
	static const struct dial before[] = {
		{ "10.1.2.3", 443, 0, 0 },			/* allowed_ips */
		{ "::ffff:10.1.2.3", 443, 0, 0 },
		{ "10.1.2.4", 443, 0, WHY(ADDR_PRIVATE) },
		{ "10.1.2.3", 22, 0, WHY(PORT) },
		{ "10.1.2.3", 53, 1, WHY(UDP) },		/* "any port" makes no resolver */
		{ "127.0.0.9", 443, 0, WHY(ADDR_FORBIDDEN) },	/* not even with allowed_ips */
		{ "10.9.3.4", 80, 0, 0 },			/* an endpoint that is a network */
		{ "127.0.0.53", 53, 1, WHY(UDP) },
		{ "8.8.8.8", 53, 1, WHY(UDP) },
		{ "93.184.216.34", 443, 1, WHY(UDP) },
		{ "127.0.0.1", 7443, 0, WHY(PORT) },
	};
	static const struct dial after[] = {
		{ "127.0.0.53", 53, 1, 0 },
		{ "127.0.0.53", 53, 0, 0 },
		{ "127.0.0.54", 53, 1, WHY(UDP) },
		{ "127.0.0.53", 54, 1, WHY(UDP) },
		{ "127.0.0.1", 7443, 0, 0 },
		{ "127.0.0.1", 7444, 0, WHY(PORT) },
		{ "192.168.7.9", 443, 0, 0 },
		{ "192.168.8.9", 443, 0, WHY(ADDR_PRIVATE) },
	};
	static const struct {
		uint8_t addr[16];
		uint32_t bits, port;
	} trust[] = {
		{ { [10] = 0xff, 0xff, 127, 0, 0, 53 }, 128, 53 },
		{ { [10] = 0xff, 0xff, 127, 0, 0, 1 }, 128, 7443 },
		{ { [10] = 0xff, 0xff, 192, 168, 7, 0 }, 96 + 24, 0 },
	};

	(void)state;
	check_all(before, ARRAY_SIZE(before));
	for (size_t i = 0; i < ARRAY_SIZE(trust); i++) {
		uint32_t words[4];

		memcpy(words, trust[i].addr, sizeof(words));
		assert_int_equal(kbpf_egress_trust(rig.k, &rig.s, words, trust[i].bits, trust[i].port, &rig.e), 0);
	}
	check_all(after, ARRAY_SIZE(after));
}

static void unknown_egress_is_denied(void **state)
{
	static const struct dial d = { "93.184.216.34", 443, 0, 0 };

	(void)state;
	rig_forget_events(&rig);
	assert_int_equal(rig_in(&rig, rig.cgroups.egress_fd, NULL, dial, (void *)&d), EACCES);
	ring_buffer__consume(rig.deny);
	assert_int_equal(rig.n_events, 1);
	assert_int_equal(rig.events[0].ev.why, WHY(NO_SANDBOX));
}

static int set_up(void **state)
{
	(void)state;
	return rig_up(&rig, &policy, 0);
}

static int tear_down(void **state)
{
	(void)state;
	rig_stop(&rig);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(special_addresses),
		cmocka_unit_test(policy_and_operator),
		cmocka_unit_test(unknown_egress_is_denied),
	};

	if (geteuid())
		return puts("1..0 # SKIP needs root"), 0;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
