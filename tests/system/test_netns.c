/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netns_setup() in namespaces of its own: nothing but lo, what nftables drops and counts, what the
 * steering brings to the listener, and that a step that fails fails the whole.
 */
#include "../bpf/dnsrig.h"
#include "own.h"
#include "../../userspace/launch/spare.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define RTNL_MANY 700			/* more than a batch, and more than one answer of a dump */
#define MARK (OSH_MARK_JUDGED | 7)

static struct rig rig;
static struct netns_result made;
static struct bundle bundle;

static const struct osh_b_cidr cidrs[] = {
	{ .addr = { [10] = 0xff, [11] = 0xff, 10, 1, 2, 0 }, .bits = 96 + 24, .host = 1 },
	{ .addr = { [10] = 0xff, [11] = 0xff, 127, 0, 0, 0 }, .bits = 96 + 8, .host = 1 },
	{ .addr = { 0x20, 0x01, 0x0d, 0xb8 }, .bits = 32, .host = 2 },
};

static struct netns_args args(void)
{
	struct netns_args a = {
		.dns_prog_fd = bpf_program__fd(rig.k->progs.osh_dns),
		.steer_prog_fd = bpf_program__fd(bpf_object__find_program_by_name(rig.k->obj, "osh_steer")),
		.steer_map_fd = bpf_object__find_map_fd_by_name(rig.k->obj, "steer"),
		.b = &bundle,
	};

	memcpy(a.net6, rig.net6, sizeof(a.net6));
	return a;
}

static bool rig_has_steer(void)
{
	struct osh_bpf *k = osh_bpf__open();
	bool has = k && bpf_object__find_program_by_name(k->obj, "osh_steer");

	osh_bpf__destroy(k);
	return has;
}

static int setup(void **state)
{
	struct netns_args a;
	struct err e = { 0 };
	_close_ int ahead = -1;

	(void)state;
	bundle.cidrs = cidrs;
	bundle.n_cidrs = ARRAY_SIZE(cidrs);
	/* As a resident osh-launch does it: half in advance, the rest by whoever enters. */
	if (rig_load(&rig) || unshare(CLONE_NEWNET))
		return -1;
	a = args();
	if (netns_prepare(&a, &ahead, &e) || unshare(CLONE_NEWNET) || setns(ahead, CLONE_NEWNET))
		return -1;
	a.prepared = true;
	if (netns_setup(&a, &made, &e)) {
		print_message("# %s\n", e.text);
		return -1;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close(made.listener_fd);
	close(made.steer_link_fd);
	close(made.netns_fd);
	rig_done(&rig);
	return 0;
}

struct dest {
	int family;
	const char *addr;
	unsigned port;
};

static socklen_t dest_addr(const struct dest *d, struct sockaddr_storage *s)
{
	struct sockaddr_in *v4 = (void *)s;
	struct sockaddr_in6 *v6 = (void *)s;

	memset(s, 0, sizeof(*s));
	s->ss_family = (sa_family_t)d->family;
	v4->sin_port = htons((uint16_t)d->port);	/* the same place in both */
	assert_int_equal(inet_pton(d->family, d->addr, d->family == AF_INET ? (void *)&v4->sin_addr
						       : (void *)&v6->sin6_addr), 1);
	return d->family == AF_INET ? sizeof(*v4) : sizeof(*v6);
}

/* A non-blocking connect with a mark; gives the socket and, where it failed at once, the errno. */
static int dial(const struct dest *d, int type, unsigned mark, int *ret_errno)
{
	struct sockaddr_storage s;
	socklen_t n = dest_addr(d, &s);
	int fd = socket(d->family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)), 0);
	*ret_errno = connect(fd, (void *)&s, n) ? errno : 0;
	return fd;
}

static int accept_within(int ms)
{
	struct pollfd p = { .fd = made.listener_fd, .events = POLLIN };

	return poll(&p, 1, ms) == 1 ? accept4(made.listener_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
}

/* Sum of the packet counters of the rules that drop. */
static unsigned long dropped(void)
{
	FILE *f = popen("nft list table inet osh", "r");
	char line[256], *at;
	unsigned long sum = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		at = strstr(line, "counter packets ");
		if (at)
			sum += strtoul(at + 16, NULL, 10);
	}
	assert_int_equal(pclose(f), 0);
	return sum;
}

static void nothing_but_lo(void **state)
{
	const struct dest rows[] = {
		{ AF_INET, "192.0.2.1", 443 },	{ AF_INET, "10.0.0.1", 80 },
		{ AF_INET, "255.255.255.255", 1 }, { AF_INET, "169.254.169.254", 80 },
		{ AF_INET6, "2606:4700::1", 443 }, { AF_INET6, "fd00:ec2::254", 80 },
	};
	int err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int types[] = { SOCK_STREAM, SOCK_DGRAM };

		for (int t = 0; t < 2; t++) {
			close(dial(&rows[i], types[t], 0, &err));
			if (err != ENETUNREACH && err != EACCES)
				fail_msg("%s: errno %d", rows[i].addr, err);
		}
	}
}

static void judged_connections_reach_the_listener(void **state)
{
	const struct dest rows[] = {
		{ AF_INET, "198.18.0.5", 443 },	  { AF_INET, "198.19.255.255", 1 },
		{ AF_INET6, "fd5a:1234:5678::5", 65535 }, { AF_INET6, "::ffff:198.18.0.9", 22 },
		{ AF_INET, "10.1.2.3", 5432 },	  { AF_INET6, "2001:db8:1::1", 443 },
	};
	struct sockaddr_storage want, got;
	int err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_close_ int fd = dial(&rows[i], SOCK_STREAM, MARK, &err);
		_close_ int in = accept_within(60000);
		unsigned mark = 0;
		socklen_t n = sizeof(mark), len = sizeof(got);
		char text[INET6_ADDRSTRLEN], plain[INET6_ADDRSTRLEN + 7];

		assert_true(err == 0 || err == EINPROGRESS);
		if (in < 0)
			fail_msg("%s port %u never arrived", rows[i].addr, rows[i].port);
		assert_int_equal(getsockopt(in, SOL_SOCKET, SO_MARK, &mark, &n), 0);
		assert_int_equal(mark, MARK);
		assert_int_equal(getsockname(in, (void *)&got, &len), 0);
		assert_int_equal(ntohs(((struct sockaddr_in6 *)&got)->sin6_port), rows[i].port);
		dest_addr(&rows[i], &want);
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&got)->sin6_addr, text, sizeof(text));
		snprintf(plain, sizeof(plain), "%s%s", rows[i].family == AF_INET ? "::ffff:" : "",
			 rows[i].addr);
		assert_string_equal(text, plain);
		len = sizeof(got);
		assert_int_equal(getpeername(in, (void *)&got, &len), 0);
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&got)->sin6_addr, text, sizeof(text));
		assert_true(!strcmp(text, "::1") || !strcmp(text, "::ffff:127.0.0.1"));
	}
}

static void unjudged_connections_are_dropped(void **state)
{
	const struct dest rows[] = {
		{ AF_INET, "198.18.0.5", 443 }, { AF_INET6, "fd5a:1234:5678::5", 443 },
		{ AF_INET, "10.1.2.3", 5432 },	{ AF_INET6, "2001:db8:1::1", 443 },
	};
	unsigned long before;
	int err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		before = dropped();
		_close_ int fd = dial(&rows[i], SOCK_STREAM, 7, &err);
		assert_int_equal(accept_within(50), -1);
		assert_true(dropped() > before);
	}
}

static void datagrams_are_dropped_but_dns(void **state)
{
	const struct dest rows[] = {
		{ AF_INET, "198.18.0.5", 443 }, { AF_INET6, "fd5a:1234:5678::5", 4433 },
		{ AF_INET, "10.1.2.3", 123 },
	};
	int err;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned long before = dropped();
		_close_ int fd = dial(&rows[i], SOCK_DGRAM, 0, &err);

		assert_int_equal(err, 0);
		assert_int_equal(send(fd, "x", 1, 0), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(dropped(), before + 1);
	}
	_close_ int dns = dial(&(struct dest){ AF_INET, "198.18.0.5", 53 }, SOCK_DGRAM, 0, &err);
	assert_int_equal(send(dns, "x", 1, 0), 1);	/* ends in the DNS program */
}

static void loopback_works(void **state)
{
	const struct dest rows[] = { { AF_INET, "127.0.0.1", 80 }, { AF_INET6, "::1", 80 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sockaddr_storage s;
		socklen_t n = dest_addr(&rows[i], &s);
		_close_ int server = socket(rows[i].family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		int err;

		assert_int_equal(bind(server, (void *)&s, n) | listen(server, 1), 0);
		_close_ int fd = dial(&rows[i], SOCK_STREAM, 0, &err);
		_close_ int in = accept(server, NULL, NULL);
		assert_true(in >= 0);
		assert_int_equal(send(fd, "x", 1, 0), 1);
		assert_int_equal(accept_within(0), -1);
	}
}

static void a_closed_flow_ends_quickly(void **state)
{
	char c;
	int err;

	(void)state;
	_close_ int fd = dial(&(struct dest){ AF_INET, "198.18.0.5", 443 }, SOCK_STREAM, MARK, &err);
	int in = accept_within(60000);
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_true(in >= 0);
	assert_int_equal(send(in, "hi", 2, 0), 2);
	close(in);
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_int_equal(recv(fd, &c, 1, 0), 1);
	assert_int_equal(recv(fd, &c, 1, 0), 1);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
}

static void low_ports_for_everybody(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		struct sockaddr_storage s;
		socklen_t n = dest_addr(&(struct dest){ AF_INET, "127.0.0.1", 25 }, &s);
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		_exit(setresuid(65534, 65534, 65534) || bind(fd, (void *)&s, n));
	}
	waitpid(pid, &status, 0);
	assert_int_equal(status, 0);
}

static void another_device_is_useless(void **state)
{
	unsigned long before;
	int err;

	(void)state;
	if (system("ip link add osh-v0 type veth peer name osh-v1 2>/dev/null && ip link set osh-v0 up && "
		   "ip link set osh-v1 up && ip addr add 192.0.2.9/24 dev osh-v0"))
		skip();
	before = dropped();
	_close_ int fd = dial(&(struct dest){ AF_INET, "192.0.2.1", 53 }, SOCK_DGRAM, MARK, &err);
	assert_int_equal(err, 0);
	assert_int_equal(send(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	assert_true(dropped() > before);
	assert_int_equal(system("ip link del osh-v0"), 0);
}

static void a_used_namespace_is_refused(void **state)
{
	struct netns_args a = args();
	struct netns_result r;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(netns_setup(&a, &r, &e), -EBUSY);
	assert_non_null(strstr(e.text, "not fresh"));
	assert_int_equal(netns_prepare(&a, NULL, &e), -EBUSY);
}

/* Made for one prefix, given to one sandbox; whoever made it is at home again. */
static void a_spare_is_for_one_sandbox(void **state)
{
	const uint32_t next[4] = { htonl(0xfd000001) }, other[4] = { htonl(0xfd000002) };
	struct stat before, after, got;
	struct spare s = { 0 };
	int fd;

	(void)state;
	assert_false(spare_wanted(&s));
	spare_hint(&s, next, args().dns_prog_fd);
	assert_true(spare_wanted(&s));
	assert_int_equal(stat("/proc/self/ns/net", &before), 0);
	spare_make(&s);
	assert_int_equal(stat("/proc/self/ns/net", &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_false(spare_wanted(&s));
	assert_int_equal(spare_take(&s, other), -1);
	fd = spare_take(&s, next);
	assert_int_equal(fstat(fd, &got), 0);
	assert_true(got.st_ino != before.st_ino);
	assert_int_equal(spare_take(&s, next), -1);
	assert_true(spare_wanted(&s));
	close(fd);
	close(s.home);
	close(s.dns_prog_fd);
}

#define V4(a, b, c, d, n) { .addr = { [10] = 0xff, [11] = 0xff, a, b, c, d }, .bits = 96 + (n), .host = 1 }

/* What `ip` shows of the local table, without the kernel's own. */
static char *local_routes(void)
{
	static char text[4096];
	FILE *f = popen("(ip -4 route show table local; ip -6 route show table local) | grep -v 'proto kernel' | "
			"sed 's/^local //; s/ dev lo.*//' | sort | tr '\\n' ' '", "r");
	size_t n = fread(text, 1, sizeof(text) - 1, f);

	text[n] = 0;
	pclose(f);
	return text;
}

/* To the next policy and on: no route of either is ever missing, nobody else's is touched. */
static void routes_follow_a_policy(void **state)
{
	static const struct osh_b_cidr one[] = { V4(192, 0, 2, 0, 24), V4(127, 0, 0, 0, 8), V4(198, 18, 0, 0, 15) };
	static const struct osh_b_cidr two[] = { V4(192, 0, 2, 0, 24), V4(192, 0, 2, 1, 32), V4(0, 0, 0, 0, 0),
						 { .bits = 0, .host = 1 },
						 { .addr = { 0x20, 0x01, 0x0d, 0xb8, [15] = 9 }, .bits = 128, .host = 2 } };
	static struct osh_b_cidr many[RTNL_MANY];
	struct bundle none = { 0 }, a = { .cidrs = one, .n_cidrs = ARRAY_SIZE(one) },
		      b = { .cidrs = two, .n_cidrs = ARRAY_SIZE(two) }, c = { .cidrs = many, .n_cidrs = RTNL_MANY };
	struct netns_args x = args();
	struct err e = { 0 };
	_close_ int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	char base[4096];

	(void)state;
	for (uint32_t i = 0; i < RTNL_MANY; i++)
		many[i] = (struct osh_b_cidr)V4(10, i >> 8, i & 255, 0, 24);
	assert_int_equal(unshare(CLONE_NEWNET) | netns_prepare(&x, NULL, &e), 0);
	snprintf(base, sizeof(base), "%s", local_routes());
	assert_int_equal(netns_follow(&a, &none, &e), 0);
	assert_non_null(strstr(local_routes(), "192.0.2.0/24"));
	assert_int_equal(netns_follow(&b, &a, &e), 0);
	assert_non_null(strstr(local_routes(), "192.0.2.0/24 "));
	assert_non_null(strstr(local_routes(), "192.0.2.1 "));
	assert_non_null(strstr(local_routes(), "2001:db8::9 "));
	assert_non_null(strstr(local_routes(), "default "));
	assert_int_equal(netns_follow(&a, &a, &e), 0);
	assert_non_null(strstr(local_routes(), "192.0.2.0/24 "));
	assert_null(strstr(local_routes(), "192.0.2.1 "));
	assert_null(strstr(local_routes(), "2001:db8::9 "));
	assert_null(strstr(local_routes(), "default "));
	assert_int_equal(netns_follow(&c, &a, &e), 0);
	assert_int_equal(netns_follow(&c, &c, &e), 0);
	assert_null(strstr(local_routes(), "192.0.2.0/24 "));
	assert_int_equal(system("test $(ip route show table local | grep -c 'local 10[.]') = 700"), 0);
	assert_int_equal(netns_follow(&none, &none, &e), 0);
	assert_string_equal(local_routes(), base);
	assert_int_equal(system("ip route get 127.0.0.2 | grep -q local"), 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
}

static void cookie_and_descriptor(void **state)
{
	struct stat here, got;

	(void)state;
	assert_true(made.cookie != 0);
	assert_int_equal(stat("/proc/self/ns/net", &here) | fstat(made.netns_fd, &got), 0);
	assert_true(here.st_ino == got.st_ino && here.st_dev == got.st_dev);
}

static const struct broken {
	const char *says;
	const char *command;		/* run in the namespace first */
	int dns, steer, map;		/* 1 = a descriptor of the wrong kind */
} broken[] = {
	{ "DNS program", NULL, 1, 0, 0 },
	{ "sk_lookup", NULL, 0, 1, 0 },
	{ "steering map", NULL, 0, 0, 1 },
	{ "IPv6", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6", 0, 0, 0 },
	{ "nftables", "nft add table inet osh", 0, 0, 0 },
};

/* Every failing step fails the whole, and says which. */
static void a_failing_step_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		const struct broken *b = &broken[i];
		int status;
		pid_t pid = fork();

		if (!pid) {
			struct netns_args a = args();
			struct netns_result r;
			struct err e = { 0 };

			if (unshare(CLONE_NEWNET) || (b->command && system(b->command)))
				_exit(2);
			a.dns_prog_fd = b->dns ? made.netns_fd : a.dns_prog_fd;
			a.steer_prog_fd = b->steer ? a.dns_prog_fd : a.steer_prog_fd;
			a.steer_map_fd = b->map ? made.netns_fd : a.steer_map_fd;
			if (!netns_setup(&a, &r, &e) || !strstr(e.text, b->says)) {
				print_message("# want '%s', got '%s'\n", b->says, e.text);
				_exit(1);
			}
			_exit(0);
		}
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_but_lo),
		cmocka_unit_test(judged_connections_reach_the_listener),
		cmocka_unit_test(unjudged_connections_are_dropped),
		cmocka_unit_test(datagrams_are_dropped_but_dns),
		cmocka_unit_test(loopback_works),
		cmocka_unit_test(a_closed_flow_ends_quickly),
		cmocka_unit_test(low_ports_for_everybody),
		cmocka_unit_test(another_device_is_useless),
		cmocka_unit_test(a_used_namespace_is_refused),
		cmocka_unit_test(cookie_and_descriptor),
		cmocka_unit_test(a_spare_is_for_one_sandbox),
		cmocka_unit_test(routes_follow_a_policy),
		cmocka_unit_test(a_failing_step_is_named),
	};

	if (!rig_has_steer()) {
		puts("1..0 # SKIP the object has no osh_steer");
		return 0;
	}
	return cmocka_run_group_tests_name("netns", tests, setup, teardown);
}
