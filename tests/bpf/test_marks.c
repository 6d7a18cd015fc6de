// SPDX-License-Identifier: Apache-2.0
/*
 * What the egress learns of who connects. A socket gets its mark when it is made and is checked when it
 * connects: whatever happened in between, the mark that arrives is that of the task that connected. And
 * with either hook left out, no program arrives as another that did not lend itself.
 */
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "netrig.h"
#include "own.h"

#include <cmocka.h>			/* last: it has a macro fail() */

#define MARK(gen, ident) (OSH_MARK_JUDGED | (gen) << 17 | (ident))
#define FORGED 0xdeadbeef

static struct rig rig;
static struct rig_policy policy;

static const struct osh_task a = { .slot = RIG_SLOT, .id = RIG_ID, .generation = 1, .ident = 7,
				   .groups = { 1 << 1 } };
static const struct osh_task b = { .slot = RIG_SLOT, .id = RIG_ID, .generation = 1, .ident = 9 };

static struct sockaddr_in any_program(void)	/* a destination that everybody may connect to */
{
	return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(443),
				     .sin_addr.s_addr = htonl(OSH_NET4 + 1) };
}

static uint32_t mark_of(int fd)
{
	uint32_t mark = 0;
	socklen_t n = sizeof(mark);

	return getsockopt(fd, SOL_SOCKET, SO_MARK, &mark, &n) ? 0 : mark;
}

/* A socket that `maker` made, in the hands of `user`; the two may be one. */
struct passed {
	const struct osh_task *maker, *user;
	uint32_t forged;		/* set between the two, with privileges that no sandbox has */
	int fastopen, again, v6;	/* again: connected by the maker and disconnected first */
};

static int disconnect(int fd)
{
	struct sockaddr none = { .sa_family = AF_UNSPEC };

	return connect(fd, &none, sizeof(none));
}

static int dial(int fd, const struct passed *p)
{
	struct sockaddr_in to = any_program();
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(443) };

	inet_pton(AF_INET6, "fd5a:1234:5678::1", &to6.sin6_addr);
	if (p->v6)
		return connect(fd, (void *)&to6, sizeof(to6));
	if (p->fastopen)
		return sendto(fd, "x", 1, MSG_FASTOPEN, (void *)&to, sizeof(to)) == 1 ? 0 : -1;
	return connect(fd, (void *)&to, sizeof(to));
}

static int pass(struct rig *g, void *arg)
{
	const struct passed *p = arg;
	int fd;

	if (p->maker && rig_pose_as(g, *p->maker) < 0)
		return 200;
	fd = socket(p->v6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
	if (p->again && (dial(fd, p) < 0 || disconnect(fd) < 0))
		return 201;
	if (p->forged && setsockopt(fd, SOL_SOCKET, SO_MARK, &p->forged, sizeof(p->forged)) < 0)
		return 202;
	if (p->user && rig_pose_as(g, *p->user) < 0)
		return 203;
	return dial(fd, p) < 0 ? errno : 0;
}

/* The mark of the last connection that arrived; the earlier ones are dropped. */
static uint32_t arrived(void)
{
	uint32_t mark = 0;
	int fd;

	while ((fd = accept4(rig.listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		mark = mark_of(fd);
		close(fd);
	}
	return mark;
}

static uint32_t passed(const struct passed *p)
{
	(void)arrived();
	rig_forget_events(&rig);
	assert_int_equal(rig_in(&rig, rig.box, NULL, pass, (void *)p), 0);
	return arrived();
}

static void who_connects_is_marked(void **state)
{
	struct osh_task tainted = a, unseen = a;
	const struct {
		struct passed p;
		uint32_t want;
	} cases[] = {
		{ { &a, &a }, MARK(1, 7) },
		{ { &a, &b }, MARK(1, 9) },			/* passed to another program, or executed one */
		{ { &b, &a }, MARK(1, 7) },
		{ { NULL, NULL }, MARK(1, 0) },			/* nobody known */
		{ { NULL, &a }, MARK(1, 7) },			/* made before its program was known */
		{ { &a, &tainted }, MARK(1, 7) | OSH_MARK_TAINT },
		{ { &tainted, &a }, MARK(1, 7) },
		{ { &a, &unseen }, MARK(1, 0) },		/* an exec that the tracker did not see */
		{ { &a, &a, FORGED }, MARK(1, 7) },
		{ { &a, &b, MARK(1, 7) }, MARK(1, 9) },
		{ { &a, &a, OSH_MARK_JUDGED }, MARK(1, 7) },
		{ { &a, &b, .again = 1 }, MARK(1, 9) },		/* a second life of one socket */
		{ { &a, &b, .fastopen = 1 }, MARK(1, 9) },
		{ { &a, &a, .v6 = 1 }, MARK(1, 7) },
		{ { &a, &b, .v6 = 1 }, MARK(1, 9) },
		{ { &a, &b, .v6 = 1, .again = 1 }, MARK(1, 9) },
	};

	(void)state;
	tainted.tainted = 3;
	unseen.exec_id = 1;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint32_t got = passed(&cases[i].p);

		if (got != cases[i].want)
			fail_msg("case %zu: mark %#x, want %#x", i, got, cases[i].want);
	}
}

/* From the second thing on, the log is told what the mark says. */
static void the_log_says_the_same(void **state)
{
	struct osh_task unseen = a;

	(void)state;
	unseen.exec_id = 1;
	(void)passed(&(struct passed){ &a, &b });
	rig_read_allows(&rig);
	assert_int_equal(rig.n_events, 1);
	assert_int_equal(rig.events[0].ev.ident, 9);
	(void)passed(&(struct passed){ &a, &unseen });
	rig_read_allows(&rig);
	assert_int_equal(rig.n_events, 1);
	assert_int_equal(rig.events[0].ev.ident, 0);
}

struct made {
	int type;
	uint32_t want;
};

static int make(struct rig *g, void *arg)
{
	const struct made *m = arg;

	(void)g;
	return mark_of(socket(AF_INET, m->type, 0)) == m->want && mark_of(socket(AF_INET6, m->type, 0)) == m->want ?
	       0 : 1;
}

static void made_with_it(void **state)
{
	struct made tcp = { SOCK_STREAM, MARK(1, 7) }, udp = { SOCK_DGRAM, 0 }, foreign = { SOCK_STREAM, 0 };

	(void)state;
	assert_int_equal(rig_in(&rig, rig.box, &a, make, &tcp), 0);
	assert_int_equal(rig_in(&rig, rig.box, &a, make, &udp), 0);
	assert_int_equal(rig_in(&rig, rig.cgroups.box_fd, NULL, make, &foreign), 0);	/* in no sandbox */
	assert_int_equal(rig_in(&rig, rig.egress, NULL, make, &foreign), 0);
}

/*
 * B listens on loopback, A connects to it: the socket that B accepts is B's, although the kernel copies
 * marks here. Else B could make it into a connection of A's wherever the connect hook is missing.
 */
static int be_called(struct rig *g, void *arg)
{
	struct sockaddr_in me = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in to = any_program();
	socklen_t n = sizeof(me);
	int door, caller, fd;

	(void)arg;
	if (rig_pose_as(g, b) < 0)
		return 200;
	door = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(door, (void *)&me, n) < 0 || listen(door, 1) < 0 || getsockname(door, (void *)&me, &n) < 0)
		return 201;
	if (rig_pose_as(g, a) < 0)
		return 202;
	caller = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(caller, (void *)&me, sizeof(me)) < 0 || mark_of(caller) != MARK(1, 7))
		return 203;
	if (rig_pose_as(g, b) < 0)
		return 204;
	fd = accept(door, NULL, NULL);
	if (mark_of(fd) != MARK(1, 9))
		return 205;
	if (disconnect(fd) < 0)
		return 206;
	return connect(fd, (void *)&to, sizeof(to)) < 0 ? errno : 0;
}

static void accepted_is_the_listeners(void **state)
{
	(void)state;
	(void)arrived();
	assert_int_equal(rig_in(&rig, rig.box, NULL, be_called, NULL), 0);
	assert_int_equal(arrived(), MARK(1, 9));
}

static void attach(enum osh_hook hook, enum bpf_attach_type type, int on)
{
	int prog = kbpf_prog_fd(rig.k, hook);

	if (on)
		assert_int_equal(bpf_prog_attach(prog, rig.cgroups.box_fd, type, BPF_F_ALLOW_MULTI), 0);
	else
		assert_int_equal(bpf_prog_detach2(prog, rig.cgroups.box_fd, type), 0);
}

static void without_sock_create(void **state)
{
	(void)state;
	attach(OSH_HOOK_SOCK, BPF_CGROUP_INET_SOCK_CREATE, 0);
	assert_int_equal(passed(&(struct passed){ &a, &a }), MARK(1, 7));
	assert_int_equal(passed(&(struct passed){ &a, &b }), MARK(1, 9));
	attach(OSH_HOOK_SOCK, BPF_CGROUP_INET_SOCK_CREATE, 1);
}

/*
 * Where one is missing no socket is made with a mark, so that none of its family gets through nft, nor
 * one that took a mark over loopback from a socket of the other family, which the other hook marks.
 */
static void without_connect(void **state)
{
	struct made none = { SOCK_STREAM, 0 };

	(void)state;
	attach(OSH_HOOK_CONNECT4, BPF_CGROUP_INET4_CONNECT, 0);
	assert_int_equal(rig_in(&rig, rig.box, &a, make, &none), 0);
	assert_int_equal(passed(&(struct passed){ &a, &a }), 0);
	assert_int_equal(passed(&(struct passed){ &a, &a, .v6 = 1 }), MARK(1, 7));
	attach(OSH_HOOK_CONNECT6, BPF_CGROUP_INET6_CONNECT, 0);
	assert_int_equal(passed(&(struct passed){ &a, &a, .v6 = 1 }), 0);
	assert_int_equal(rig_in(&rig, rig.box, &a, make, &none), 0);
	attach(OSH_HOOK_CONNECT4, BPF_CGROUP_INET4_CONNECT, 1);
	attach(OSH_HOOK_CONNECT6, BPF_CGROUP_INET6_CONNECT, 1);
	assert_int_equal(passed(&(struct passed){ &a, &b }), MARK(1, 9));
}

/* Missing only when a socket that was made before connects: its maker answers, by the second judgement. */
static int late(struct rig *g, void *arg)
{
	struct sockaddr_in to = any_program();
	int *pipes = arg, fd;
	char c;

	if (rig_pose_as(g, a) < 0)
		return 200;
	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (write(pipes[1], "x", 1) != 1 || read(pipes[2], &c, 1) != 1)
		return 201;
	return connect(fd, (void *)&to, sizeof(to)) < 0 ? errno : 0;
}

/* Programs of others on the same cgroups hide ours from nobody. */
static void among_neighbours(void **state)
{
	struct bpf_insn insns[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 1 },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = BPF_CGROUP_INET4_CONNECT);
	int fds[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = bpf_prog_load(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, "other", "GPL", insns, 2, &opts);
		assert_int_equal(bpf_prog_attach(fds[i], i & 1 ? rig.box : rig.cgroups.box_fd,
						 BPF_CGROUP_INET4_CONNECT, BPF_F_ALLOW_MULTI), 0);
	}
	assert_int_equal(rig_in(&rig, rig.box, &a, make, &(struct made){ SOCK_STREAM, MARK(1, 7) }), 0);
	assert_int_equal(passed(&(struct passed){ &a, &b }), MARK(1, 9));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_int_equal(bpf_prog_detach2(fds[i], i & 1 ? rig.box : rig.cgroups.box_fd,
						  BPF_CGROUP_INET4_CONNECT), 0);
		close(fds[i]);
	}
}

/* Made under one policy, connected under the next. */
static int over_a_reload(struct rig *g, void *arg)
{
	int *pipes = arg, fd;
	struct sockaddr_in to = any_program();
	char c;

	fd = socket(AF_INET, SOCK_STREAM, 0);
	if (rig_pose_as(g, a) < 0 || mark_of(fd) != MARK(1, 0))
		return 200;
	if (write(pipes[1], "x", 1) != 1 || read(pipes[2], &c, 1) != 1)
		return 201;
	return connect(fd, (void *)&to, sizeof(to)) < 0 ? errno : 0;
}

static void reloaded(void **state)
{
	int pipes[4], status;
	pid_t pid;
	char c;

	(void)state;
	(void)arrived();
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(pipes + 2), 0);
	pid = fork();
	if (!pid)
		_exit(rig_in(&rig, rig.box, NULL, over_a_reload, pipes));
	assert_int_equal(read(pipes[0], &c, 1), 1);
	rig.s.generation = 2;
	assert_int_equal(kbpf_fill(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(kbpf_flip(rig.k, &rig.s, &policy.b, &rig.e), 0);
	assert_int_equal(write(pipes[3], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(arrived(), MARK(2, 7));
}

static void detached_in_between(void **state)
{
	int pipes[4], status;
	pid_t pid;
	char c;

	(void)state;
	(void)arrived();
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(pipes + 2), 0);
	pid = fork();
	if (!pid)
		_exit(rig_in(&rig, rig.box, NULL, late, pipes));
	assert_int_equal(read(pipes[0], &c, 1), 1);
	attach(OSH_HOOK_CONNECT4, BPF_CGROUP_INET4_CONNECT, 0);
	assert_int_equal(write(pipes[3], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	attach(OSH_HOOK_CONNECT4, BPF_CGROUP_INET4_CONNECT, 1);
	assert_int_equal(arrived(), MARK(1, 7));
}

static int set_up(void **state)
{
	(void)state;
	return rig_up(&rig, &policy, 1);
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
		cmocka_unit_test(made_with_it),
		cmocka_unit_test(who_connects_is_marked),
		cmocka_unit_test(the_log_says_the_same),
		cmocka_unit_test(accepted_is_the_listeners),
		cmocka_unit_test(without_sock_create),
		cmocka_unit_test(without_connect),
		cmocka_unit_test(detached_in_between),
		cmocka_unit_test(among_neighbours),
		cmocka_unit_test(reloaded),
	};

	if (geteuid())
		return puts("1..0 # SKIP needs root"), 0;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
