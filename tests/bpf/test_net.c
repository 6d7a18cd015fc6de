// SPDX-License-Identifier: Apache-2.0
/*
 * The socket hooks, with real sockets in a real sandbox cgroup and namespace: who may connect where,
 * what the accepted socket tells the egress, and that every denial is counted.
 */
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/un.h>

#include "netrig.h"
#include "own.h"
#include "text.h"

#include <cmocka.h>			/* last: it has a macro fail() */

#define WHY(id) OSH_WHY_##id
#define TCP_ SOCK_STREAM, IPPROTO_TCP
#define UDP_ SOCK_DGRAM, IPPROTO_UDP

static struct rig rig;
static struct rig_policy policy;

enum how { CONNECT, SENDTO, BIND, FASTOPEN };

struct attempt {
	const char *addr;
	int port, type, proto;
	enum how how;
	int want;			/* errno */
	unsigned why;			/* reason of the event, 0 = no event */
};

static socklen_t address(const char *text, int port, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (void *)ret;
	struct sockaddr_in6 *in6 = (void *)ret;

	memset(ret, 0, sizeof(*ret));
	if (strchr(text, ':')) {
		in6->sin6_family = AF_INET6;
		in6->sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
		return sizeof(*in6);
	}
	in->sin_family = AF_INET;
	in->sin_port = htons(port);
	assert_int_equal(inet_pton(AF_INET, text, &in->sin_addr), 1);
	return sizeof(*in);
}

/* errno of the attempt, 0 = it went through. */
static int try(struct rig *g, void *arg)
{
	const struct attempt *a = arg;
	struct sockaddr_storage ss;
	socklen_t n = address(a->addr, a->port, &ss);
	int fd = socket(ss.ss_family, a->type, a->proto), r;

	(void)g;
	if (fd < 0)
		return errno;
	if (a->how == CONNECT)
		r = connect(fd, (void *)&ss, n);
	else if (a->how == BIND)
		r = bind(fd, (void *)&ss, n);
	else
		r = sendto(fd, "x", 1, a->how == FASTOPEN ? MSG_FASTOPEN : 0, (void *)&ss, n);
	r = r < 0 ? errno : 0;
	close(fd);
	return r;
}

static void accept_all(struct rig *g)
{
	int fd;

	while ((fd = accept4(g->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		close(fd);
}

static void drain(struct rig *g)
{
	rig_read_allows(g);
	ring_buffer__consume(g->deny);
}

/* Forgets the denials, so that the next one is a first again. */
static void forget_denials(struct rig *g)
{
	kbpf_drop(g->k, &g->s, KMAP_DENIALS, 0);
	g->k->sandboxes[RIG_SLOT].denials = 0;
	g->k->sandboxes[RIG_SLOT].deny_overflow = 0;
}

static void check(const struct attempt *a, const struct osh_task *task, const char *note)
{
	int got;

	forget_denials(&rig);
	rig_forget_events(&rig);
	got = rig_in(&rig, rig.box, task, try, (void *)a);
	accept_all(&rig);
	drain(&rig);
	if (got != a->want || rig.n_events != !!a->why || (a->why && rig.events[0].ev.why != a->why))
		fail_msg("%s %s:%d type %d how %d: errno %d, want %d; %d events, %s, want %s", note, a->addr,
			 a->port, a->type, a->how, got, a->want, rig.n_events,
			 rig.n_events ? reason_id(rig.events[0].ev.why) : "-", reason_id(a->why));
	if (a->why)
		assert_int_equal(rig.events[0].ev.verdict, a->why == WHY(ALLOWED) ? OSH_ALLOW : OSH_DENY);
}

static void check_all(const struct attempt *a, size_t n, const struct osh_task *task, const char *note)
{
	for (size_t i = 0; i < n; i++)
		check(&a[i], task, note);
}

static void no_listener_is_a_closed_door(void **state)
{
	struct attempt a = { "198.18.0.1", 443, TCP_, CONNECT, ECONNREFUSED, WHY(ALLOWED) };

	(void)state;
	/* SK_DROP: the namespace answers with a reset, and whoever is bound there gets nothing. */
	check(&a, NULL, "no listener");
	assert_int_equal(rig_listen(&rig), 0);
}

static void destinations(void **state)
{
	static const struct attempt cases[] = {
		{ "198.18.0.1", 443, TCP_, CONNECT, 0, WHY(ALLOWED) },
		{ "198.18.0.1", 80, TCP_, CONNECT, EACCES, WHY(PORT) },
		{ "198.18.0.0", 443, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "198.18.0.9", 443, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "198.19.255.255", 443, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "8.8.8.8", 443, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "169.254.169.254", 80, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "10.9.3.4", 80, TCP_, CONNECT, 0, WHY(ALLOWED) },
		{ "10.9.3.4", 81, TCP_, CONNECT, EACCES, WHY(PORT) },
		{ "10.10.0.1", 80, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "::ffff:198.18.0.1", 443, TCP_, CONNECT, 0, WHY(ALLOWED) },
		{ "::ffff:198.18.0.1", 80, TCP_, CONNECT, EACCES, WHY(PORT) },
		{ "::ffff:8.8.8.8", 443, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "::ffff:10.9.3.4", 80, TCP_, CONNECT, 0, WHY(ALLOWED) },
		{ "fd5a:1234:5678::1", 443, TCP_, CONNECT, 0, WHY(ALLOWED) },
		{ "fd5a:1234:5678::1", 80, TCP_, CONNECT, EACCES, WHY(PORT) },
		{ "fd5a:1234:5678:1::1", 443, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "fd5a:1234:5678::1:0:1", 443, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "fd5a:1234:5679::1", 443, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "2001:4860:4860::8888", 443, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "::198.18.0.1", 443, TCP_, CONNECT, EACCES, WHY(DEST_UNKNOWN) },
		{ "8.8.8.8", 443, TCP_, FASTOPEN, EACCES, WHY(DEST_UNKNOWN) },
		{ "2001:4860:4860::8888", 443, TCP_, FASTOPEN, EACCES, WHY(DEST_UNKNOWN) },
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases), NULL, "destinations");
}

static void loopback_is_unjudged(void **state)
{
	static const struct attempt cases[] = {
		{ "127.0.0.1", 1, TCP_, CONNECT, ECONNREFUSED, 0 },
		{ "127.9.9.9", 1, TCP_, CONNECT, ECONNREFUSED, 0 },
		{ "0.0.0.0", 1, TCP_, CONNECT, ECONNREFUSED, 0 },
		{ "::1", 1, TCP_, CONNECT, ECONNREFUSED, 0 },
		{ "::", 1, TCP_, CONNECT, ECONNREFUSED, 0 },
		{ "::ffff:127.0.0.1", 1, TCP_, CONNECT, ECONNREFUSED, 0 },
		{ "127.0.0.1", 9, UDP_, SENDTO, 0, 0 },
		{ "::1", 9, UDP_, SENDTO, 0, 0 },
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases), NULL, "loopback");
}

static void udp(void **state)
{
	static const struct attempt cases[] = {
		{ "198.18.0.1", 443, UDP_, CONNECT, 0, 0 },		/* a resolver sorting addresses */
		{ "198.18.0.1", 0, UDP_, CONNECT, 0, 0 },
		{ "fd5a:1234:5678::1", 0, UDP_, CONNECT, 0, 0 },
		{ "8.8.8.8", 53, UDP_, CONNECT, EACCES, WHY(UDP) },
		{ "2001:4860:4860::8888", 53, UDP_, CONNECT, EACCES, WHY(UDP) },
		{ "::ffff:8.8.8.8", 53, UDP_, CONNECT, EACCES, WHY(UDP) },
		{ "8.8.8.8", 53, UDP_, SENDTO, EACCES, WHY(UDP) },
		{ "198.18.0.1", 443, UDP_, SENDTO, EACCES, WHY(UDP) },
		{ "2001:4860:4860::8888", 53, UDP_, SENDTO, EACCES, WHY(UDP) },
		{ "fd5a:1234:5678::1", 443, UDP_, SENDTO, EACCES, WHY(UDP) },
		{ "::ffff:8.8.8.8", 53, UDP_, SENDTO, EACCES, WHY(UDP) },
		{ "255.255.255.255", 67, UDP_, SENDTO, EACCES, WHY(UDP) },
		{ "ff02::fb", 5353, UDP_, SENDTO, EACCES, WHY(UDP) },
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases), NULL, "udp");
}

static void binds(void **state)
{
	static const struct attempt cases[] = {
		{ "127.0.0.1", 0, TCP_, BIND, 0, 0 },
		{ "0.0.0.0", 0, TCP_, BIND, 0, 0 },
		{ "::1", 0, TCP_, BIND, 0, 0 },
		{ "::", 0, UDP_, BIND, 0, 0 },
		{ "::ffff:127.0.0.1", 0, TCP_, BIND, 0, 0 },
		{ "198.18.0.1", 443, TCP_, BIND, EACCES, WHY(BIND_ADDR) },
		{ "198.18.0.1", 53, UDP_, BIND, EACCES, WHY(BIND_ADDR) },
		{ "::ffff:198.18.0.1", 443, TCP_, BIND, EACCES, WHY(BIND_ADDR) },
		{ "fd5a:1234:5678::1", 443, TCP_, BIND, EACCES, WHY(BIND_ADDR) },
		{ "224.0.0.251", 5353, UDP_, BIND, EACCES, WHY(BIND_ADDR) },
	};

	(void)state;
	check_all(cases, ARRAY_SIZE(cases), NULL, "bind");
}

static int make_socket(struct rig *g, void *arg)
{
	const int *how = arg;
	int fd = socket(how[0], how[1], how[2]);

	(void)g;
	return fd < 0 ? errno : 0;
}

static void sockets(void **state)
{
	static const int cases[][4] = {
		{ AF_INET, SOCK_STREAM, 0, 0 },
		{ AF_INET6, SOCK_STREAM, IPPROTO_TCP, 0 },
		{ AF_INET, SOCK_DGRAM, 0, 0 },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_UDP, 0 },
		{ AF_INET, SOCK_RAW, IPPROTO_ICMP, EACCES },
		{ AF_INET, SOCK_RAW, IPPROTO_RAW, EACCES },
		{ AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, EACCES },
		{ AF_INET, SOCK_DGRAM, IPPROTO_ICMP, EACCES },
		{ AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6, EACCES },
		{ AF_INET, SOCK_STREAM, 262 /* MPTCP */, EACCES },
		{ AF_INET6, SOCK_STREAM, 262, EACCES },
		{ AF_INET, SOCK_DGRAM, 136 /* UDP-Lite */, EACCES },
		{ AF_INET, SOCK_STREAM, 132 /* SCTP */, EACCES },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int there = socket(cases[i][0], cases[i][1], cases[i][2]), got;

		forget_denials(&rig);
		rig_forget_events(&rig);
		got = rig_in(&rig, rig.box, NULL, make_socket, (void *)cases[i]);
		drain(&rig);
		if (there < 0 && got)
			continue;	/* the kernel lacks it: refused either way */
		close(there);
		if (got != cases[i][3] || rig.n_events != !!got)
			fail_msg("socket(%d, %d, %d): errno %d, want %d, %d events", cases[i][0], cases[i][1],
				 cases[i][2], got, cases[i][3], rig.n_events);
		if (got)
			assert_int_equal(rig.events[0].ev.why, WHY(FAMILY));
	}
}

/* ---- programs ---- */

static struct osh_task program(uint64_t groups)
{
	return (struct osh_task){ .slot = RIG_SLOT, .id = RIG_ID, .generation = 1, .ident = 7,
				  .groups = { groups } };
}

static void programs(void **state)
{
	struct attempt at443 = { "198.18.0.2", 443, TCP_, CONNECT, EACCES, WHY(EXEC_UNSEEN) };
	struct attempt at8443 = { "198.18.0.2", 8443, TCP_, CONNECT, EACCES, WHY(BINARY) };
	struct osh_task t;

	(void)state;
	check(&at443, NULL, "never executed");
	t = program(1 << 1);
	at443.want = 0, at443.why = WHY(ALLOWED);
	check(&at443, &t, "listed");
	assert_int_equal(rig.events[0].ev.ident, 7);
	assert_int_equal(rig.events[0].ev.rule, 2);
	check(&at8443, &t, "listed elsewhere");

	t.exec_id = 1;
	at443.want = EACCES, at443.why = WHY(EXEC_UNSEEN);
	check(&at443, &t, "exec that nobody saw");

	t = program(1 << 1);
	t.ident = 0;
	at443.why = WHY(NO_IDENTITY);
	check(&at443, &t, "no ident");
	t.why = WHY(PATH_LONG);
	at443.why = WHY(PATH_LONG);
	check(&at443, &t, "the tracker's own reason");

	t = program(0);
	t.why = WHY(REPLACED);
	at443.why = WHY(REPLACED);
	check(&at443, &t, "a name without groups, and why");
	t.tainted = 1, t.why = WHY(TAINTED);
	at443.why = WHY(BINARY);
	check(&at443, &t, "tainted, and not listed either");

	t = program(1 << 1 | 1 << 2);
	t.tainted = 1;
	at443.why = WHY(TAINTED);
	check(&at443, &t, "tainted");
	at8443.want = 0, at8443.why = WHY(ALLOWED);
	check(&at8443, &t, "tainted, taint: ignore");

	t = program(1 << 1);
	t.generation = 9;
	at443.why = WHY(NO_IDENTITY);
	check(&at443, &t, "groups of another policy");
	t = program(1 << 1);
	t.id = RIG_ID - 1;
	at443.why = WHY(EXEC_UNSEEN);
	check(&at443, &t, "a former tenant's task");
}

static void ident_of_now(void **state)
{
	struct attempt at443 = { "198.18.0.2", 443, TCP_, CONNECT, 0, WHY(ALLOWED) };
	struct osh_ident_key key = { .id = RIG_ID, .ident = 7 };
	struct osh_ident ident = { .by = { [1] = { .groups = { 1 << 1 }, .generation = 1 } } };
	struct osh_task t = program(1 << 2);
	int fd = kbpf_map_fd(rig.k, "idents");

	(void)state;
	t.generation = 9;
	assert_int_equal(bpf_map_update_elem(fd, &key, &ident, BPF_ANY), 0);
	check(&at443, &t, "what the ident means now");
	ident.by[1].groups[0] = 1 << 2;
	assert_int_equal(bpf_map_update_elem(fd, &key, &ident, BPF_ANY), 0);
	at443.want = EACCES, at443.why = WHY(BINARY);
	check(&at443, &t, "what the ident means now");
	assert_int_equal(bpf_map_delete_elem(fd, &key), 0);
}

static void mark_of(const char *addr, const struct osh_task *t, uint32_t want)
{
	struct attempt a = { addr, 443, TCP_, CONNECT, 0, 0 };
	struct sockaddr_storage local;
	socklen_t n = sizeof(local), m = sizeof(uint32_t);
	char text[INET6_ADDRSTRLEN];
	uint32_t mark = 0;
	int fd;

	assert_int_equal(rig_in(&rig, rig.box, t, try, &a), 0);
	fd = accept(rig.listener, NULL, NULL);
	assert_true(fd >= 0);
	assert_int_equal(getsockname(fd, (void *)&local, &n), 0);
	inet_ntop(AF_INET6, &((struct sockaddr_in6 *)&local)->sin6_addr, text, sizeof(text));
	assert_non_null(strstr(text, addr));
	assert_int_equal(((struct sockaddr_in6 *)&local)->sin6_port, htons(443));
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &m), 0);
	assert_int_equal(mark, want);
	close(fd);
}

static void marks(void **state)
{
	struct osh_task t = program(1 << 1);

	(void)state;
	accept_all(&rig);
	mark_of("198.18.0.1", NULL, OSH_MARK_JUDGED | 1 << 17);
	mark_of("fd5a:1234:5678::1", NULL, OSH_MARK_JUDGED | 1 << 17);
	mark_of("198.18.0.2", &t, OSH_MARK_JUDGED | 1 << 17 | 7);
	t.tainted = 3;
	mark_of("198.18.0.1", &t, OSH_MARK_JUDGED | 1 << 17 | OSH_MARK_TAINT | 7);
}

/* ---- unix ---- */

struct unix_try {
	const char *path;
	int len, type, want;
	int events;
};

static int try_unix(struct rig *g, void *arg)
{
	const struct unix_try *u = arg;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, u->type, 0), r;
	socklen_t n = offsetof(struct sockaddr_un, sun_path) + u->len;

	(void)g;
	memcpy(un.sun_path, u->path, u->len);
	r = u->type == SOCK_DGRAM ? (int)sendto(fd, "x", 1, 0, (void *)&un, n) :
				    connect(fd, (void *)&un, n);
	return r < 0 ? errno : 0;
}

#define PATH(p) p, sizeof(p)
#define BARE(p) p, sizeof(p) - 1		/* without its NUL */

static void unix_sockets(void **state)
{
	static char longest[108] = "/tmp/";
	const struct unix_try cases[] = {
		{ PATH("/tmp/osh-no-such.sock"), SOCK_STREAM, ENOENT, 1 },
		{ BARE("/tmp/osh-no-such.sock"), SOCK_STREAM, ENOENT, 1 },
		{ PATH("/tmp/.hidden"), SOCK_STREAM, ENOENT, 1 },
		{ PATH("/tmp/...x/y"), SOCK_STREAM, ENOENT, 1 },
		{ PATH("/dev/shm/osh-no-such"), SOCK_STREAM, ENOENT, 1 },
		{ PATH("/sandbox/.x/s"), SOCK_STREAM, ENOENT, 1 },
		{ PATH("/run/listed.sock"), SOCK_STREAM, ENOENT, 1 },
		{ BARE("/run/listed.sock"), SOCK_STREAM, ENOENT, 1 },
		{ PATH("\0osh-no-such"), SOCK_STREAM, ECONNREFUSED, 0 },
		{ longest, 108, SOCK_STREAM, ENOENT, 1 },
		{ PATH("/tmp/hostile"), SOCK_STREAM, ENOENT, 1 },
		{ PATH("/run/other.sock"), SOCK_STREAM, EACCES, 1 },
		{ PATH("/run/listed.sock2"), SOCK_STREAM, EACCES, 1 },
		{ BARE("/run/listed.soc"), SOCK_STREAM, EACCES, 1 },
		{ PATH("run/listed.sock"), SOCK_STREAM, EACCES, 1 },
		{ PATH("x.sock"), SOCK_STREAM, EACCES, 1 },
		{ PATH("/tmp/../run/x"), SOCK_STREAM, EACCES, 1 },
		{ PATH("/tmp/.."), SOCK_STREAM, EACCES, 1 },
		{ PATH("/tmp/./x"), SOCK_STREAM, EACCES, 1 },
		{ PATH("/tmp//x"), SOCK_STREAM, EACCES, 1 },
		{ PATH("/tmp/"), SOCK_STREAM, EACCES, 1 },
		{ PATH("/tmpx/y"), SOCK_STREAM, EACCES, 1 },
		{ PATH("/tmp/host/x.sock"), SOCK_STREAM, EACCES, 1 },
		{ PATH("/tmp/host/a/b"), SOCK_STREAM, EACCES, 1 },
		{ PATH("/var/run/docker.sock"), SOCK_DGRAM, EACCES, 1 },
		{ PATH("/dev/log"), SOCK_DGRAM, EACCES, 1 },
		{ PATH("/tmp/osh-no-such"), SOCK_DGRAM, ENOENT, 1 },
	};

	(void)state;
	memset(longest + 5, 'a', sizeof(longest) - 5);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int got;

		forget_denials(&rig);
		rig_forget_events(&rig);
		got = rig_in(&rig, rig.box, NULL, try_unix, (void *)&cases[i]);
		drain(&rig);
		if (got != cases[i].want || rig.n_events != cases[i].events)
			fail_msg("unix '%.20s': errno %d, want %d, %d events", cases[i].path, got,
				 cases[i].want, rig.n_events);
		if (!rig.n_events)
			continue;
		assert_int_equal(rig.events[0].ev.why, got == EACCES ? WHY(UNIX_PATH) : WHY(ALLOWED));
		assert_int_equal(strncmp(rig.events[0].name, cases[i].path, cases[i].len), 0);
		assert_int_equal(rig.events[0].ev.name_len, strnlen(cases[i].path, cases[i].len));
	}
}

/* ---- the funnel ---- */

static int connect_often(struct rig *g, void *arg)
{
	struct attempt a = { "8.8.4.4", 443, TCP_, CONNECT, 0, 0 };

	for (int i = 0; i < *(int *)arg; i++)
		if (try(g, &a) != EACCES)
			return 1;
	return 0;
}

static uint64_t denial_count(struct rig *g, uint32_t addr_be, uint32_t port)
{
	struct osh_denial_key key = { .id = RIG_ID, .kind = OSH_EV_CONNECT, .why = WHY(DEST_UNKNOWN),
				      .addr_be = { 0, 0, htonl(0xffff), addr_be }, .aux = SOCK_STREAM,
				      .port = port };
	struct osh_denial d = { 0 };

	(void)bpf_map_lookup_elem(kbpf_map_fd(g->k, "denials"), &key, &d);
	return d.count;
}

static void repeats_are_counted_exactly(void **state)
{
	int often = 2000, children = 4;
	pid_t pids[4];

	(void)state;
	forget_denials(&rig);
	rig_forget_events(&rig);
	for (int i = 0; i < children; i++) {
		pids[i] = fork();
		if (!pids[i])
			_exit(rig_in(&rig, rig.box, NULL, connect_often, &often));
	}
	for (int i = 0; i < children; i++) {
		int status;

		waitpid(pids[i], &status, 0);
		assert_int_equal(status, 0);
	}
	drain(&rig);
	assert_int_equal(rig.n_events, 1);
	assert_int_equal(denial_count(&rig, inet_addr("8.8.4.4"), 443), often * children);
	assert_int_equal(rig.k->sandboxes[RIG_SLOT].denials, 1);
}

static int connect_ports(struct rig *g, void *arg)
{
	for (int i = 1; i <= *(int *)arg; i++) {
		struct attempt a = { "8.8.4.4", i, TCP_, CONNECT, 0, 0 };

		if (try(g, &a) != EACCES)
			return 1;
	}
	return 0;
}

static void budget_is_per_sandbox(void **state)
{
	const struct osh_sandbox *sb = &rig.k->sandboxes[RIG_SLOT];
	int ports = OSH_DENIALS_EACH + 952;

	(void)state;
	forget_denials(&rig);
	rig_forget_events(&rig);
	assert_int_equal(rig_in(&rig, rig.box, NULL, connect_ports, &ports), 0);
	drain(&rig);
	assert_int_equal(rig.n_events, OSH_DENIALS_EACH);
	assert_int_equal(sb->denials, OSH_DENIALS_EACH);
	assert_int_equal(sb->deny_overflow, 952);
	/* Known keys still count. */
	assert_int_equal(denial_count(&rig, inet_addr("8.8.4.4"), 5), 1);
	forget_denials(&rig);
}

static int flood(struct rig *g, void *arg)
{
	struct attempt denied = { "8.8.4.4", 77, TCP_, CONNECT, 0, 0 };
	struct sockaddr_storage ss;
	socklen_t n = address("198.18.0.1", 443, &ss);

	for (int i = 0; i < *(int *)arg; i++) {
		struct linger now = { 1, 0 };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		(void)connect(fd, (void *)&ss, n);
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		close(fd);
	}
	return try(g, &denied) == EACCES ? 0 : 1;
}

static void allow_flood_loses_no_denial(void **state)
{
	struct osh_sandbox *sb = &rig.k->sandboxes[RIG_SLOT];
	int often = 20000;
	int denials = 0, allows = 0;

	(void)state;
	forget_denials(&rig);
	rig_forget_events(&rig);
	sb->allow_drops = 0;
	free(rig.events);
	rig.events = calloc(RIG_EVENTS * 4, sizeof(*rig.events));
	assert_int_equal(rig_in(&rig, rig.box, NULL, flood, &often), 0);
	accept_all(&rig);
	ring_buffer__consume(rig.deny);
	assert_int_equal(rig.n_events, 1);
	denials = rig.events[0].ev.why == WHY(DEST_UNKNOWN) && rig.events[0].ev.port == 77;
	assert_int_equal(denials, 1);
	rig_read_allows(&rig);
	allows = rig.n_events - 1;
	assert_int_equal(allows + sb->allow_drops, often);
	assert_true(sb->allow_drops > 0);	/* else the ring was too large for this test */
}

static void full_deny_ring_keeps_the_entry(void **state)
{
	struct osh_denial_key key = { 0 }, next;
	struct osh_denial d;
	int unsent = 0, ports = 2000, fd = kbpf_map_fd(rig.k, "denials");
	struct attempt again = { "8.8.4.4", 2000, TCP_, CONNECT, EACCES, 0 };
	int n = 0, more;

	(void)state;
	forget_denials(&rig);
	rig_forget_events(&rig);
	/* 1 MiB holds about 10900 records: six rounds fill it unread. */
	for (int i = 0; i < 6; i++) {
		forget_denials(&rig);
		assert_int_equal(rig_in(&rig, rig.box, NULL, connect_ports, &ports), 0);
	}
	for (more = !bpf_map_get_next_key(fd, NULL, &next); more; n++) {
		key = next;
		more = !bpf_map_get_next_key(fd, &key, &next);
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &d), 0);
		assert_int_equal(d.count, 1);
		unsent += !d.first_ns;
	}
	assert_int_equal(n, ports);
	assert_true(unsent > 0);
	drain(&rig);
	assert_int_equal(rig.n_events + unsent, 6 * ports);
	/* A repeat of one that found no room tries the ring again. */
	rig.n_events = 0;
	assert_int_equal(rig_in(&rig, rig.box, NULL, try, &again), EACCES);
	drain(&rig);
	assert_int_equal(rig.n_events, 1);
	forget_denials(&rig);
}

static void outsider_is_denied(void **state)
{
	struct attempt a = { "198.18.0.1", 443, TCP_, CONNECT, 0, 0 };

	(void)state;
	/* In the box cgroup itself, which is no sandbox: hooks apply, and nobody is known. */
	rig_forget_events(&rig);
	assert_int_equal(rig_in(&rig, rig.cgroups.box_fd, NULL, try, &a), EACCES);
	drain(&rig);
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
		cmocka_unit_test(no_listener_is_a_closed_door),
		cmocka_unit_test(destinations),
		cmocka_unit_test(loopback_is_unjudged),
		cmocka_unit_test(udp),
		cmocka_unit_test(binds),
		cmocka_unit_test(sockets),
		cmocka_unit_test(programs),
		cmocka_unit_test(ident_of_now),
		cmocka_unit_test(marks),
		cmocka_unit_test(unix_sockets),
		cmocka_unit_test(repeats_are_counted_exactly),
		cmocka_unit_test(budget_is_per_sandbox),
		cmocka_unit_test(allow_flood_loses_no_denial),
		cmocka_unit_test(full_deny_ring_keeps_the_entry),
		cmocka_unit_test(outsider_is_denied),
	};

	if (geteuid())
		return puts("1..0 # SKIP needs root"), 0;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
