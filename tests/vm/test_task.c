/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes and doors of the kernel by LSM programs alone (lsmrig.h). Each row is done by a task of the
 * sandbox and by one outside: what is refused inside works outside, and is on record with its reason.
 */
#include "lsmrig.h"

#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define TREE "/tmp/osh-test-task"
#define IPPROTO_MPTCP_ 262
#define AF_VSOCK_ 40

static pid_t outside, inside;		/* two processes that wait */
static int secret = 42;			/* at the same address in each of them */

static pid_t other(long which)
{
	return which ? inside : outside;
}

static int opened(long which, const char *what, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)other(which), what);
	return open(path, flags | O_CLOEXEC);
}

/* Some kernels ask nobody about whoever may watch the whole machine. */
static int shown(long which, const char *what)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps))
		return -1;
	caps[0].effective &= ~(1u << CAP_SYS_ADMIN);
	caps[1].effective &= ~(1u << (CAP_PERFMON - 32));
	return syscall(SYS_capset, &head, caps) ? -1 : opened(which, what, O_RDONLY);
}

/* ---- what is tried: 0 or more = it worked ---- */

static int try_attach(long who) { return (int)ptrace(PTRACE_SEIZE, other(who), NULL, NULL); }
static int try_traceme(long who) { (void)who; return (int)ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static int try_mem(long who) { return opened(who, "mem", O_RDWR); }
static int try_environ(long who) { return shown(who, "environ"); }
static int try_maps(long who) { return shown(who, "maps"); }
static int try_signal(long who) { return kill(other(who), SIGCONT); }
static int try_probe(long who) { return kill(other(who), 0); }

static int try_self(long who)
{
	(void)who;
	return open("/proc/self/mem", O_RDWR | O_CLOEXEC);
}

static int try_root(long who)
{
	char path[64], link[256];

	snprintf(path, sizeof(path), "/proc/%d/root", (int)other(who));
	return (int)readlink(path, link, sizeof(link));
}

static int try_read_memory(long who)
{
	int got = 0;
	struct iovec here = { &got, sizeof(got) }, there = { &secret, sizeof(secret) };

	return (int)process_vm_readv(other(who), &here, 1, &there, 1, 0);
}

static int try_getfd(long who)
{
	return (int)syscall(SYS_pidfd_getfd, syscall(SYS_pidfd_open, other(who), 0), 0, 0);
}

static int try_kcmp(long who)
{
	return (int)syscall(SYS_kcmp, getpid(), other(who), 1 /* KCMP_VM */, 0, 0);
}

static int try_pidfd_signal(long who)
{
	return (int)syscall(SYS_pidfd_send_signal, syscall(SYS_pidfd_open, other(who), 0), SIGCONT, NULL, 0);
}

static int try_own_child(long who)
{
	pid_t pid = fork();

	(void)who;
	if (!pid)
		for (;;)
			pause();
	return kill(pid, SIGKILL) || waitpid(pid, NULL, 0) != pid ? -1 : 0;
}

static int try_map(long x) { (void)x; return bpf_map_create(BPF_MAP_TYPE_ARRAY, "t", 4, 4, 1, NULL); }
static int try_klog(long x) { return klogctl((int)x, NULL, 0); }
static int try_userfault(long x) { return (int)syscall(SYS_userfaultfd, x); }
static int try_userns(long x) { (void)x; return unshare(CLONE_NEWUSER); }

static int try_perf(long x)
{
	struct perf_event_attr a = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(a) };

	(void)x;
	return (int)syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
}

static int try_uring(long x)
{
	struct io_uring_params p = { 0 };

	(void)x;
	return (int)syscall(SYS_io_uring_setup, 4, &p);
}

static int try_new_key(long x)
{
	(void)x;
	return (int)syscall(SYS_add_key, "user", "osh-test", "x", 1, KEY_SPEC_PROCESS_KEYRING) < 0 ? -1 : 0;
}

static int try_key(long x)
{
	return (int)syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, x, 1) == -1 ? -1 : 0;
}

/* A file that is no module is read first, then found to be none. */
static int try_module_file(long x)
{
	int fd = open("/bin/true", O_RDONLY | O_CLOEXEC);

	(void)x;
	return syscall(SYS_finit_module, fd, "", 0) && errno != ENOEXEC ? -1 : 0;
}

static int try_module(long x)
{
	static char nothing[4096];

	(void)x;
	return syscall(SYS_init_module, nothing, sizeof(nothing), "") && errno != ENOEXEC ? -1 : 0;
}

/* The kernel asks for a module of that name; there is none, with or without the hook. */
static int try_module_request(long x)
{
	(void)x;
	return syscall(SYS_fsopen, "oshnosuch", 0) < 0 && errno != ENODEV ? -1 : 0;
}

static int try_mount(long x) { (void)x; return mount("t", TREE, "tmpfs", 0, NULL); }
static int try_bind(long x) { (void)x; return mount("/proc", TREE, NULL, MS_BIND, NULL); }
static int try_remount(long x) { (void)x; return mount(NULL, TREE, NULL, MS_REMOUNT, "size=8k"); }
static int try_umount(long x) { return umount2(TREE, (int)x); }

static int try_move_mount(long x)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, "/proc", 1 /* OPEN_TREE_CLONE */);

	(void)x;
	return (int)syscall(SYS_move_mount, fd, "", AT_FDCWD, TREE, 4 /* MOVE_MOUNT_F_EMPTY_PATH */);
}

/* Asked before the kernel looks whether these can change places: they cannot. */
static int try_pivot(long x)
{
	(void)x;
	return syscall(SYS_pivot_root, TREE, TREE) < 0 && errno != EBUSY && errno != EINVAL ? -1 : 0;
}

#define SOCKET(family, type, protocol) ((long)(family) << 24 | (long)(type) << 16 | (protocol))
static int try_socket(long x)
{
	return socket((int)(x >> 24), (int)(x >> 16 & 0xff), (int)(x & 0xffff));
}

enum { OUT, IN };
static const struct row {
	const char *what;
	int (*try)(long);
	long arg;
	int why;			/* 0 = it works */
	int op;				/* of an event TASK; of a socket its family */
	bool shut_too;			/* it fails in the same way with the hook and without */
	bool strict, nested;		/* of the policy */
} rows[] = {
	/* clang-format off */
	{ "a process outside is not traced",           try_attach, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_TRACE, 0, 0, 0 },
	{ "nor one inside by another",                 try_attach, IN, OSH_WHY_TRACED, OSH_OP_TRACE, 0, 0, 0 },
	{ "nobody asks to be traced",                  try_traceme, 0, OSH_WHY_TRACED, OSH_OP_TRACE, 0, 0, 0 },
	{ "/proc/PID/mem outside",                     try_mem, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_TRACE, 0, 0, 0 },
	{ "/proc/PID/mem of another inside",           try_mem, IN, OSH_WHY_TRACED, OSH_OP_TRACE, 0, 0, 0 },
	{ "its own memory is its own",                 try_self, 0, 0, 0, 0, 0, 0 },
	{ "/proc/PID/environ outside",                 try_environ, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_LOOK, 0, 0, 0 },
	{ "/proc/PID/environ inside",                  try_environ, IN, 0, 0, 0, 0, 0 },
	{ "/proc/PID/maps outside",                    try_maps, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_LOOK, 0, 0, 0 },
	{ "/proc/PID/root outside",                    try_root, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_LOOK, 0, 0, 0 },
	{ "process_vm_readv outside",                  try_read_memory, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_TRACE, 0, 0, 0 },
	{ "process_vm_readv inside",                   try_read_memory, IN, OSH_WHY_TRACED, OSH_OP_TRACE, 0, 0, 0 },
	{ "pidfd_getfd outside",                       try_getfd, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_TRACE, 0, 0, 0 },
	{ "pidfd_getfd inside",                        try_getfd, IN, OSH_WHY_TRACED, OSH_OP_TRACE, 0, 0, 0 },
	{ "kcmp outside",                              try_kcmp, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_LOOK, 0, 0, 0 },
	{ "a signal to one outside",                   try_signal, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_SIGNAL, 0, 0, 0 },
	{ "whether it is there at all",                try_probe, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_SIGNAL, 0, 0, 0 },
	{ "a signal by pidfd",                         try_pidfd_signal, OUT, OSH_WHY_TASK_OUTSIDE, OSH_OP_SIGNAL, 0, 0, 0 },
	{ "a signal to one inside",                    try_signal, IN, 0, 0, 0, 0, 0 },
	{ "a child is made and killed",                try_own_child, 0, 0, 0, 0, 0, 0 },
	{ "bpf",                                       try_map, 0, OSH_WHY_KERNEL, OSH_OP_BPF, 0, 0, 0 },
	{ "perf_event_open",                           try_perf, 0, OSH_WHY_KERNEL, OSH_OP_PERF, 0, 0, 0 },
	{ "io_uring",                                  try_uring, 0, OSH_WHY_KERNEL, OSH_OP_URING, 0, 0, 0 },
	{ "userfaultfd",                               try_userfault, O_CLOEXEC, OSH_WHY_KERNEL, OSH_OP_USERFAULT, 0, 0, 0 },
	{ "the size of the kernel's log",              try_klog, 10, OSH_WHY_KERNEL, OSH_OP_SYSLOG, 0, 0, 0 },
	{ "a new key",                                 try_new_key, 0, OSH_WHY_KERNEL, OSH_OP_KEY, 0, 0, 0 },
	{ "the user's keyring",                        try_key, KEY_SPEC_USER_KEYRING, OSH_WHY_KERNEL, OSH_OP_KEY, 0, 0, 0 },
	{ "a module by descriptor",                    try_module_file, 0, OSH_WHY_KERNEL, OSH_OP_MODULE, 0, 0, 0 },
	{ "a module from memory",                      try_module, 0, OSH_WHY_KERNEL, OSH_OP_MODULE, 0, 0, 0 },
	{ "a module that the kernel would fetch",      try_module_request, 0, OSH_WHY_KERNEL, OSH_OP_MODULE, true, 0, 0 },
	{ "a user namespace",                          try_userns, 0, OSH_WHY_USERNS, OSH_OP_USERNS, 0, 0, 0 },
	{ "a user namespace that the policy has",      try_userns, 0, 0, 0, 0, 0, true },
	{ "mount",                                     try_mount, 0, OSH_WHY_MOUNTS, OSH_OP_MOUNT, 0, 0, 0 },
	{ "mount where namespaces are nested",         try_mount, 0, 0, 0, 0, 0, true },
	{ "a bind mount",                              try_bind, 0, OSH_WHY_MOUNTS, OSH_OP_MOUNT, 0, 0, 0 },
	{ "remount",                                   try_remount, 0, OSH_WHY_MOUNTS, OSH_OP_MOUNT, 0, 0, 0 },
	{ "umount",                                    try_umount, MNT_DETACH, OSH_WHY_MOUNTS, OSH_OP_UMOUNT, 0, 0, 0 },
	{ "move_mount",                                try_move_mount, 0, OSH_WHY_MOUNTS, OSH_OP_MOUNT, 0, 0, 0 },
	{ "move_mount where namespaces are nested",    try_move_mount, 0, OSH_WHY_MOUNTS, OSH_OP_MOUNT, 0, 0, true },
	{ "pivot_root",                                try_pivot, 0, OSH_WHY_MOUNTS, OSH_OP_MOUNT, 0, 0, 0 },
	{ "a TCP socket",                              try_socket, SOCKET(AF_INET, SOCK_STREAM, 0), 0, 0, 0, 0, 0 },
	{ "a UDP socket",                              try_socket, SOCKET(AF_INET6, SOCK_DGRAM, 17), 0, 0, 0, 0, 0 },
	{ "a unix socket",                             try_socket, SOCKET(AF_UNIX, SOCK_SEQPACKET, 0), 0, 0, 0, 0, 0 },
	{ "routes",                                    try_socket, SOCKET(AF_NETLINK, SOCK_RAW, 0), 0, 0, 0, 0, 0 },
	{ "other netlink",                             try_socket, SOCKET(AF_NETLINK, SOCK_RAW, 15), OSH_WHY_FAMILY, AF_NETLINK, 0, 0, 0 },
	{ "a raw socket",                              try_socket, SOCKET(AF_INET, SOCK_RAW, 1), OSH_WHY_FAMILY, AF_INET, 0, 0, 0 },
	{ "MPTCP",                                     try_socket, SOCKET(AF_INET, SOCK_STREAM, IPPROTO_MPTCP_), OSH_WHY_FAMILY, AF_INET, 0, 0, 0 },
	{ "vsock",                                     try_socket, SOCKET(AF_VSOCK_, SOCK_STREAM, 0), OSH_WHY_FAMILY, AF_VSOCK_, 0, 0, 0 },
	/* clang-format on */
};

/* 0, or the errno that the task got. Mounts are its own. */
static int done_by(const struct row *r, bool in)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
			_exit(251);
		if ((r->try == try_umount || r->try == try_remount) && try_mount(0))
			_exit(252);
		if (in)
			enter_box();
		errno = 0;
		_exit(r->try(r->arg) < 0 ? errno : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void row_run(void **state)
{
	const struct row *r = *state;
	int got;

	outside = sleeper(false);
	inside = sleeper(true);
	flip(r->strict, r->nested);
	got = done_by(r, false);
	if (got)
		fail_msg("outside it fails: %s", strerror(got));
	put_down(outside);		/* tracing leaves a mark */
	put_down(inside);
	outside = sleeper(false);
	inside = sleeper(true);
	forget_denials();
	got = done_by(r, true);
	put_down(outside);
	put_down(inside);
	drain();
	if (!r->why) {
		if (got)
			fail_msg("inside: %s; on record: %d, reason %u", strerror(got), n_seen, seen.ev.why);
		return;
	}
	if (!r->shut_too && got != EPERM && got != EACCES && got != ENOKEY)
		fail_msg("inside: %s", strerror(got));
	assert_true(n_seen >= 1);
	assert_int_equal(seen.ev.why, r->why);
	assert_int_equal(seen.ev.id, ID);
	assert_int_equal(seen.ev.verdict, OSH_DENY);
	assert_int_equal(seen.ev.kind, r->why == OSH_WHY_FAMILY ? OSH_EV_SOCKET : OSH_EV_TASK);
	assert_int_equal(r->why == OSH_WHY_FAMILY ? seen.ev.aux >> 16 : seen.ev.aux, r->op);
}

/* What is refused again is counted, not told again. */
static void counted(void **state)
{
	const struct row r = { "", try_map, 0, OSH_WHY_KERNEL, OSH_OP_BPF, 0, 0, 0 };
	int map = kbpf_map_fd(k, "denials");
	struct osh_denial_key key;
	struct osh_denial d = { 0 };

	(void)state;
	forget_denials();
	for (int i = 0; i < 3; i++)
		assert_int_equal(done_by(&r, true), EPERM);
	drain();
	assert_int_equal(n_seen, 1);
	assert_int_equal(bpf_map_get_next_key(map, NULL, &key), 0);
	assert_int_equal(bpf_map_lookup_elem(map, &key, &d), 0);
	assert_int_equal(d.count, 3);
}

/* osh-launch's child is in the cgroup and furnishes the sandbox. */
static void free_until_furnished(void **state)
{
	const struct row r = { "", try_mount, 0, 0, 0, 0, 0, 0 };

	(void)state;
	k->sandboxes[SLOT].flags &= ~OSH_SB_GUARD;
	assert_int_equal(done_by(&r, true), 0);
	kbpf_guard(k, &box);
	assert_int_equal(done_by(&r, true), EPERM);
	flip(false, false);		/* a reload keeps it */
	assert_int_equal(done_by(&r, true), EPERM);
}

/* It was these programs that answered. Last. */
static void works_without(void **state)
{
	(void)state;
	for (int h = 0; h < OSH_HOOK_MAX; h++) {
		if (kbpf_hook_is_lsm(h) && !kbpf_hook_needless(h)) {
			assert_non_null(k->links[h]);	/* a stock kernel has every hook */
			bpf_link__destroy(k->links[h]);
			k->links[h] = NULL;
		}
	}
	outside = sleeper(false);
	inside = sleeper(true);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].try == try_map || rows[i].try == try_signal || rows[i].try == try_uring)
			assert_int_equal(done_by(&rows[i], true), 0);
	put_down(outside);
	put_down(inside);
}

static int setup(void **state)
{
	return mkdir(TREE, 0755) ? -1 : rig_setup(state);
}

static int teardown(void **state)
{
	int r = rig_teardown(state);

	return rmdir(TREE) ? -1 : r;
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(rows) + 3] = { 0 };
	size_t n = 0;

	if (!kbpf_has_lsm()) {
		puts("# this kernel refuses to load LSM programs");
		return 77;
	}
	for (; n < ARRAY_SIZE(rows); n++)
		tests[n] = (struct CMUnitTest){ .name = rows[n].what, .test_func = row_run,
						.initial_state = (void *)&rows[n] };
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(counted);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(free_until_furnished);
	tests[n++] = (struct CMUnitTest)cmocka_unit_test(works_without);
	return cmocka_run_group_tests_name("task", tests, setup, teardown);
}
