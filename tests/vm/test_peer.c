/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets by who made them, and descriptors by what they are, by LSM programs alone (lsmrig.h). Each row
 * is done by a task of the sandbox and by one outside.
 */
#include "lsmrig.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#define TREE "/tmp/osh-test-peer"

static int address(struct sockaddr_un *un, const char *name)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	strcpy(un->sun_path, name);
	if (*name != '@')
		return (int)sizeof(*un);
	un->sun_path[0] = 0;
	return (int)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
}

/* A socket that is bound, and listens where it can. */
static int bound(const char *name, int type)
{
	struct sockaddr_un un;
	int n = address(&un, name), fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (bind(fd, (void *)&un, (socklen_t)n) || (type != SOCK_DGRAM && listen(fd, 8)))
		_exit(249);
	return fd;
}

static int connected(const char *name, int type)
{
	struct sockaddr_un un;
	int n = address(&un, name), fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	return connect(fd, (void *)&un, (socklen_t)n);
}

static int sent(const char *name)
{
	struct sockaddr_un un;
	int n = address(&un, name), fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return (int)sendto(fd, "x", 1, 0, (void *)&un, (socklen_t)n);
}

static int inherited;			/* one end of a pair that was made outside */

static int try_stream(const char *name) { return connected(name, SOCK_STREAM); }
static int try_packets(const char *name) { return connected(name, SOCK_SEQPACKET); }
static int try_datagrams(const char *name) { return connected(name, SOCK_DGRAM); }
static int try_send(const char *name) { return sent(name); }
static int try_inherited(const char *name) { (void)name; return (int)send(inherited, "x", 1, 0); }

/* The same socket by another name in another directory, and by one that leads there. */
static int try_linked(const char *name)
{
	return link(name, TREE "/alias") ? -1 : connected(TREE "/alias", SOCK_STREAM);
}

static int try_through(const char *name)
{
	return symlink(name, TREE "/leads") ? -1 : connected(TREE "/leads", SOCK_STREAM);
}

/* Bound and reached by one task, so both sides are inside or both outside. */
static int try_own(const char *name)
{
	int fd = bound(name, SOCK_STREAM), r = connected(name, SOCK_STREAM);

	close(fd);
	return r;
}

static int try_own_datagram(const char *name)
{
	int fd = bound(name, SOCK_DGRAM), r = sent(name);

	close(fd);
	return r;
}

static int try_pair(const char *name)
{
	int pair[2];

	return socketpair(AF_UNIX, *name == 'd' ? SOCK_DGRAM : SOCK_STREAM, 0, pair) || send(pair[0], "x", 1, 0) < 0 ? -1 : 0;
}

struct row {
	const char *what;
	int (*try)(const char *);
	const char *arg;
	bool refused;
};
static const struct row rows[] = {
	/* clang-format off */
	{ "a socket of the host's, by its name",       try_stream, TREE "/stream", true },
	{ "by a hard link",                            try_linked, TREE "/stream", true },
	{ "by a symbolic link",                        try_through, TREE "/stream", true },
	{ "for packets",                               try_packets, TREE "/packet", true },
	{ "an abstract one",                           try_stream, "@osh-test-peer", true },
	{ "connected for datagrams",                   try_datagrams, TREE "/datagram", true },
	{ "a datagram without a connection",           try_send, TREE "/datagram", true },
	{ "one of its own",                            try_own, TREE "/own", false },
	{ "an abstract one of its own",                try_own, "@osh-test-own", false },
	{ "its own datagrams",                         try_own_datagram, TREE "/own", false },
	{ "a pair",                                    try_pair, "s", false },
	{ "a pair for datagrams",                      try_pair, "d", false },
	{ "a pair that it began with",                 try_inherited, "", false },
	/* clang-format on */
};

static void world_begin(int *fds)
{
	int pair[2];

	(void)mkdir(TREE, 0755);
	assert_int_equal(mount("peer", TREE, "tmpfs", 0, NULL), 0);
	fds[0] = bound(TREE "/stream", SOCK_STREAM);
	fds[1] = bound(TREE "/packet", SOCK_SEQPACKET);
	fds[2] = bound(TREE "/datagram", SOCK_DGRAM);
	fds[3] = bound("@osh-test-peer", SOCK_STREAM);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	fds[4] = pair[0];
	inherited = pair[1];
}

static void world_end(const int *fds)
{
	for (int i = 0; i < 5; i++)
		close(fds[i]);
	close(inherited);
	assert_int_equal(umount2(TREE, MNT_DETACH), 0);
	(void)rmdir(TREE);
}

/* 0, or the errno that the task got. */
static int done_by(const struct row *r, bool in)
{
	int fds[5], status;
	pid_t pid;

	world_begin(fds);
	pid = fork();
	if (!pid) {
		if (in)
			enter_box();
		errno = 0;
		_exit(r->try(r->arg) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	world_end(fds);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void row_run(void **state)
{
	const struct row *r = *state;
	int got = done_by(r, false);

	flip(false, false);
	if (got)
		fail_msg("outside it fails: %s", strerror(got));
	forget_denials();
	got = done_by(r, true);
	drain();
	if (got != (r->refused ? EACCES : 0))
		fail_msg("inside: %s; on record: %d", strerror(got), n_seen);
	if (!r->refused)
		return;
	assert_int_equal(n_seen, 1);
	assert_int_equal(seen.ev.kind, OSH_EV_UNIX);
	assert_int_equal(seen.ev.why, OSH_WHY_UNIX_PEER);
	assert_int_equal(seen.ev.id, ID);
	/* By the name that it was bound to, whatever name led there. */
	assert_string_equal(seen.name, r->try == try_linked || r->try == try_through ? TREE "/stream" : r->arg);
}

/* ---- descriptors ---- */

static pid_t keeper;			/* of a mount namespace; 0 = none */

static void keeper_end(void)
{
	if (keeper)
		put_down(keeper);
	keeper = 0;
}

/* A mount namespace that is not the sandbox's. */
static int elsewhere(const char *path, int flags)
{
	int pair[2], fd = -1;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (!pid) {
		if (unshare(CLONE_NEWNS))
			_exit(1);
		fd = open(path, flags);
		for (;;)
			pause();	/* the namespace lives as long */
	}
	for (int i = 0; i < 500 && fd < 0; i++) {
		char link[64];
		int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);

		usleep(10000);
		snprintf(link, sizeof(link), "/proc/%d/fd/%d", (int)pid, pair[1] + 1);
		fd = access(link, F_OK) ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, pair[1] + 1, 0);
		close(pidfd);
	}
	close(pair[0]);
	close(pair[1]);
	keeper = pid;
	return fd;
}

static int make_pipe(void)
{
	int p[2];

	return pipe2(p, O_CLOEXEC) ? -1 : p[0];
}

static int make_pair(void)
{
	int p[2];

	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p) ? -1 : p[0];
}

static int make_node(void)
{
	(void)mkdir(TREE, 0755);
	if (mknod(TREE "/gpu", S_IFCHR | 0666, makedev(1, 3)) && errno != EEXIST)
		return -1;
	return elsewhere(TREE "/gpu", O_RDWR);
}

static int make_orphan(void)
{
	int fd = elsewhere("/etc/passwd", O_RDONLY);

	keeper_end();
	return fd;
}

static int make_here(void) { return open("/etc/passwd", O_RDONLY); }
static int make_dir_here(void) { return open("/etc", O_RDONLY | O_DIRECTORY); }
static int make_file(void) { return elsewhere("/etc/passwd", O_RDONLY); }
static int make_dir(void) { return elsewhere("/etc", O_RDONLY | O_DIRECTORY); }
static int make_path(void) { return elsewhere("/etc", O_PATH | O_DIRECTORY); }
static int make_memory(void) { return memfd_create("m", 0); }
static int make_sealed(void) { return memfd_create("m", 8 /* MFD_NOEXEC_SEAL */); }
static int make_event(void) { return eventfd(0, 0); }
static int make_epoll(void) { return epoll_create1(0); }
static int make_map(void) { return bpf_map_create(BPF_MAP_TYPE_ARRAY, "t", 4, 4, 1, NULL); }
static int make_program(void) { return dup(kbpf_prog_fd(k, OSH_HOOK_EXEC)); }
static int make_pidfd(void) { return (int)syscall(SYS_pidfd_open, getpid(), 0); }
static int make_inet(void) { return socket(AF_INET, SOCK_STREAM, 0); }
static int make_namespace(void) { return open("/proc/self/ns/net", O_RDONLY); }
static int make_fault(void) { return (int)syscall(SYS_userfaultfd, O_CLOEXEC); }

static const struct thing {
	const char *what;
	int (*make)(void);
	bool refused;
	bool strict;			/* exec mode of the policy */
} things[] = {
	/* clang-format off */
	{ "receive: a pipe",                           make_pipe, false, false },
	{ "receive: memory",                           make_memory, false, false },
	{ "receive: memory that is never executed",    make_sealed, false, true },
	{ "receive: an event counter",                 make_event, false, false },
	{ "receive: an epoll",                         make_epoll, false, false },
	{ "receive: a file of the view",               make_here, false, false },
	{ "receive: a directory of the view",          make_dir_here, false, false },
	{ "receive: a file from elsewhere",            make_file, true, false },
	{ "receive: a directory from elsewhere",       make_dir, true, false },
	{ "receive: a place from elsewhere",           make_path, true, false },
	{ "receive: a file of a mount that has gone",  make_orphan, true, false },
	{ "receive: a device from elsewhere",          make_node, true, false },
	{ "receive: executable memory under strict exec", make_memory, true, true },
	{ "receive: a BPF map",                        make_map, true, false },
	{ "receive: a BPF program",                    make_program, true, false },
	{ "receive: a userfaultfd",                    make_fault, true, false },
	{ "receive: a process outside",                make_pidfd, true, false },
	{ "receive: a unix socket from outside",       make_pair, true, false },
	{ "receive: a TCP socket from outside",        make_inet, true, false },
	{ "receive: a namespace",                      make_namespace, true, false },
	/* clang-format on */
};

static void pass(int sock, int fd)
{
	char c = 0, room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	assert_int_equal(sendmsg(sock, &m, 0), 1);
}

static bool received(int sock)
{
	char c = 0, room[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec v = { &c, 1 };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof(room) };

	if (recvmsg(sock, &m, 0) != 1)
		_exit(248);
	return CMSG_FIRSTHDR(&m) && CMSG_FIRSTHDR(&m)->cmsg_len == CMSG_LEN(sizeof(int));
}

static bool taken_by(int fd, bool in)
{
	int pair[2], status;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	pass(pair[0], fd);
	pid = fork();
	if (!pid) {
		if (in)
			enter_box();
		_exit(received(pair[1]) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(pair[0]);
	close(pair[1]);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
	return !WEXITSTATUS(status);
}

static void thing_run(void **state)
{
	const struct thing *t = *state;
	int fd = t->make();

	if (fd < 0)
		fail_msg("it cannot be made: %s", strerror(errno));
	flip(t->strict, false);
	assert_true(taken_by(fd, false));
	forget_denials();
	assert_int_equal(taken_by(fd, true), !t->refused);
	close(fd);
	keeper_end();
	drain();
	if (!t->refused)
		return;
	assert_int_equal(n_seen, 1);
	assert_int_equal(seen.ev.kind, OSH_EV_FILE);
	assert_int_equal(seen.ev.why, OSH_WHY_RECEIVED);
	assert_int_equal(seen.ev.id, ID);
}

/* What processes inside make they may give each other. */
static void among_fellows(void **state)
{
	int (*const make[])(void) = { make_pair, make_inet, make_pidfd, make_memory, make_pipe, make_here };
	int status;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		enter_box();
		for (size_t i = 0; i < ARRAY_SIZE(make); i++) {
			int pair[2], fd = make[i]();

			if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || fd < 0)
				_exit(247);
			pass(pair[0], fd);
			if (!received(pair[1]))
				_exit((int)i + 1);
		}
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* It was these programs that answered. Last. */
static void works_without(void **state)
{
	static const enum osh_hook mine[] = { OSH_HOOK_UCONNECT, OSH_HOOK_USEND, OSH_HOOK_RECEIVE };
	int fd = make_pair();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(mine); i++) {
		assert_non_null(k->links[mine[i]]);
		bpf_link__destroy(k->links[mine[i]]);
		k->links[mine[i]] = NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(done_by(&rows[i], true), 0);
	assert_true(taken_by(fd, true));
	close(fd);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + ARRAY_SIZE(things) + 2] = { 0 };
	size_t n = 0;

	if (!kbpf_has_lsm()) {
		puts("# this kernel refuses to load LSM programs");
		return 77;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		tests[n++] = (struct CMUnitTest){ .name = rows[i].what, .test_func = row_run,
						  .initial_state = (void *)&rows[i] };
	for (size_t i = 0; i < ARRAY_SIZE(things); i++)
		tests[n++] = (struct CMUnitTest){ .name = things[i].what, .test_func = thing_run,
						  .initial_state = (void *)&things[i] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(among_fellows);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(works_without);
	return cmocka_run_group_tests_name("peer", tests, rig_setup, rig_teardown);
}
