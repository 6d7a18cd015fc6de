/* SPDX-License-Identifier: Apache-2.0 */
/* The filters, loaded in a child for each question: what is refused, with which errno, and what runs. */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../userspace/launch/sysnr.h"
#include "answerer.h"
#include "own.h"

#include <cmocka.h>			/* last: it has a macro fail() */

#define HIGH (1ull << 32)		/* ignored by the kernel where it reads an int */
#define FINE 0

static struct seccomp_set set;

static struct rlimit core;

static const struct attempt {
	const char *what;
	long nr;
	unsigned long a[6];
	int plain, nested;		/* errno; FINE = not refused by the filter */
} attempts[] = {
	/* clang-format off */
	{ "getpid",           __NR_getpid,       { 0 }, FINE, FINE },
	{ "memfd_create",     __NR_memfd_create, { (unsigned long)"x" }, FINE, FINE },
	{ "unix socket",      __NR_socket,  { AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0 }, FINE, FINE },
	{ "tcp",              __NR_socket,  { AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0 }, FINE, FINE },
	{ "tcp6",             __NR_socket,  { AF_INET6, SOCK_STREAM, IPPROTO_TCP }, FINE, FINE },
	{ "udp",              __NR_socket,  { AF_INET, SOCK_DGRAM, IPPROTO_UDP }, FINE, FINE },
	{ "route netlink",    __NR_socket,  { AF_NETLINK, SOCK_RAW, NETLINK_ROUTE }, FINE, FINE },
	{ "raw",              __NR_socket,  { AF_INET, SOCK_RAW, IPPROTO_ICMP }, EACCES, EACCES },
	{ "raw6",             __NR_socket,  { AF_INET6, SOCK_RAW, IPPROTO_TCP }, EACCES, EACCES },
	{ "ping socket",      __NR_socket,  { AF_INET, SOCK_DGRAM, IPPROTO_ICMP }, EACCES, EACCES },
	{ "mptcp",            __NR_socket,  { AF_INET, SOCK_STREAM, IPPROTO_MPTCP }, EACCES, EACCES },
	{ "packet",           __NR_socket,  { AF_PACKET, SOCK_RAW, 0 }, EAFNOSUPPORT, EAFNOSUPPORT },
	{ "vsock",            __NR_socket,  { AF_VSOCK, SOCK_STREAM, 0 }, EAFNOSUPPORT, EAFNOSUPPORT },
	{ "alg",              __NR_socket,  { AF_ALG, SOCK_SEQPACKET, 0 }, EAFNOSUPPORT, EAFNOSUPPORT },
	{ "vsock, high bit",  __NR_socket,  { HIGH | AF_VSOCK, SOCK_STREAM, 0 }, EAFNOSUPPORT, EAFNOSUPPORT },
	{ "vsock pair",       __NR_socketpair, { AF_VSOCK, SOCK_STREAM, 0, 0 }, EAFNOSUPPORT, EAFNOSUPPORT },
	{ "audit netlink",    __NR_socket,  { AF_NETLINK, SOCK_RAW, NETLINK_AUDIT }, ENOSYS, ENOSYS },
	{ "route netlink, high bit", __NR_socket, { AF_NETLINK, SOCK_RAW, HIGH | NETLINK_ROUTE }, FINE, FINE },
	{ "move_pages",       __NR_move_pages, { 0 }, EPERM, EPERM },
	{ "netfilter netlink", __NR_socket, { AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER }, ENOSYS, ENOSYS },
	{ "unknown family",   __NR_socket,  { 77, SOCK_STREAM, 0 }, ENOSYS, ENOSYS },
	{ "TIOCSTI",          __NR_ioctl,   { 0, TIOCSTI, 0 }, EPERM, EPERM },
	{ "TIOCSTI, high bit", __NR_ioctl,  { 0, HIGH | TIOCSTI, 0 }, EPERM, EPERM },
	{ "TIOCSETD",         __NR_ioctl,   { 0, TIOCSETD, 0 }, EPERM, EPERM },
	{ "TIOCSETD, high bit", __NR_ioctl, { 0, HIGH | TIOCSETD, 0 }, EPERM, EPERM },
	{ "BTRFS_IOC_SNAP_CREATE_V2", __NR_ioctl, { 0, 0x50009417, 0 }, EPERM, EPERM },
	{ "BTRFS_IOC_SUBVOL_CREATE", __NR_ioctl, { 0, HIGH | 0x5000940e, 0 }, EPERM, EPERM },
	{ "TIOCLINUX",        __NR_ioctl,   { 0, TIOCLINUX, 0 }, EPERM, EPERM },
	{ "PR_SET_MM",        __NR_prctl,   { PR_SET_MM, 1, 0, 0, 0 }, EPERM, EPERM },
	{ "PR_SET_MM, high bit", __NR_prctl, { HIGH | PR_SET_MM, 1, 0, 0, 0 }, EPERM, EPERM },
	{ "PR_SCHED_CORE",    __NR_prctl,   { 62, 1, 0, 0, 0 }, EPERM, EPERM },
	{ "F_SETLEASE",       __NR_fcntl,   { 0, HIGH | F_SETLEASE, F_RDLCK }, EPERM, EPERM },
	{ "F_SETDELEG",       __NR_fcntl,   { 0, 1040, 0 }, EPERM, EPERM },
	{ "F_GETFL",          __NR_fcntl,   { 0, F_GETFL, 0 }, FINE, FINE },
	{ "huge pages",       __NR_mmap,    { 0, 1 << 21, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1 }, EPERM, EPERM },
	{ "huge pages in a memfd", __NR_memfd_create, { (unsigned long)"x", MFD_HUGETLB }, EPERM, EPERM },
	{ "huge pages shared", __NR_shmget, { IPC_PRIVATE, 1 << 21, SHM_HUGETLB | 0600 }, EPERM, EPERM },
	{ "pages",            __NR_mmap,    { 0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1 }, FINE, FINE },
	{ "SO_ATTACH_FILTER", __NR_setsockopt, { 0, SOL_SOCKET, SO_ATTACH_FILTER, 0, 0 }, EPERM, EPERM },
	{ "SO_ATTACH_REUSEPORT_CBPF", __NR_setsockopt, { 0, SOL_SOCKET, HIGH | SO_ATTACH_REUSEPORT_CBPF, 0, 0 }, EPERM, EPERM },
	{ "TCP_ULP",          __NR_setsockopt, { 0, IPPROTO_TCP, TCP_ULP, (unsigned long)"tls", 3 }, EPERM, EPERM },
	{ "TCP_AO_ADD_KEY",   __NR_setsockopt, { 0, IPPROTO_TCP, 38, 0, 0 }, EPERM, EPERM },
	{ "UDP_ENCAP",        __NR_setsockopt, { 0, IPPROTO_UDP, 100, 0, 0 }, EPERM, EPERM },
	{ "memfd_secret",     447,          { 0 }, ENOSYS, ENOSYS },
	{ "SO_KEEPALIVE",     __NR_setsockopt, { 0, SOL_SOCKET, SO_KEEPALIVE, 0, 0 }, FINE, FINE },
	{ "core limit, asked for the old one too", __NR_prlimit64, { 0, RLIMIT_CORE, (unsigned long)&core, (unsigned long)&core },
	  EPERM, EPERM },
	{ "file_setattr",     469,          { (unsigned long)AT_FDCWD, (unsigned long)"/", 0, 0, 0 }, ENOSYS, ENOSYS },
	{ "io_setup",         206,          { 1, 0 }, ENOSYS, ENOSYS },
	{ "PR_GET_DUMPABLE",  __NR_prctl,   { PR_GET_DUMPABLE, 0, 0, 0, 0 }, FINE, FINE },
	{ "personality query", __NR_personality, { 0xffffffff }, FINE, FINE },
	{ "no randomisation", __NR_personality, { 0x0040000 }, EPERM, EPERM },
	{ "clone3",           __NR_clone3,  { 0, 0 }, ENOSYS, ENOSYS },
	{ "clone newuser",    __NR_clone,   { CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0 }, EPERM, FINE },
	{ "clone newnet",     __NR_clone,   { CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0 }, EPERM, FINE },
	{ "clone newpid, high bit", __NR_clone, { HIGH | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0 }, EPERM, FINE },
	{ "unshare user",     __NR_unshare, { CLONE_NEWUSER }, EPERM, FINE },
	{ "setns",            __NR_setns,   { 0, 0 }, EPERM, FINE },
	{ "mount",            __NR_mount,   { 0, 0, 0, 0, 0 }, EPERM, FINE },
	{ "umount",           __NR_umount2, { 0, 0 }, EPERM, FINE },
	{ "chroot",           __NR_chroot,  { 0 }, EPERM, FINE },
	{ "open_tree",        __NR_open_tree, { 0, 0, 0 }, EPERM, EPERM },
	{ "move_mount",       __NR_move_mount, { 0, 0, 0, 0, 0 }, EPERM, EPERM },
	{ "fsopen",           __NR_fsopen,  { 0, 0 }, EPERM, EPERM },
	{ "mount_setattr",    __NR_mount_setattr, { 0, 0, 0, 0, 0 }, EPERM, EPERM },
	{ "ptrace",           __NR_ptrace,  { 0 }, EPERM, EPERM },
	{ "process_vm_readv", __NR_process_vm_readv, { 1 }, EPERM, EPERM },
	{ "process_vm_writev", __NR_process_vm_writev, { 1 }, EPERM, EPERM },
	{ "pidfd_getfd",      __NR_pidfd_getfd, { 0 }, EPERM, EPERM },
	{ "bpf",              __NR_bpf,     { 0 }, EPERM, EPERM },
	{ "io_uring_setup",   __NR_io_uring_setup, { 1, 0 }, EPERM, EPERM },
	{ "keyctl",           __NR_keyctl,  { 0 }, EPERM, EPERM },
	{ "add_key",          __NR_add_key, { 0 }, EPERM, EPERM },
	{ "userfaultfd",      __NR_userfaultfd, { 0 }, EPERM, EPERM },
	{ "perf_event_open",  __NR_perf_event_open, { 0 }, EPERM, EPERM },
	{ "open_by_handle_at", __NR_open_by_handle_at, { 0 }, EPERM, EPERM },
	{ "finit_module",     __NR_finit_module, { 0 }, EPERM, EPERM },
	{ "kexec_load",       __NR_kexec_load, { 0 }, EPERM, EPERM },
	{ "quotactl",         __NR_quotactl, { 0 }, EPERM, EPERM },
	{ "reboot",           __NR_reboot,  { 0 }, EPERM, EPERM },
	{ "syslog",           __NR_syslog,  { 3 }, EPERM, EPERM },
	{ "uselib",           __NR_uselib,  { 0 }, ENOSYS, ENOSYS },
	{ "number 500",       500,          { 0 }, ENOSYS, ENOSYS },
	/* clang-format on */
};

static int try(const struct attempt *a)
{
	long r = syscall(a->nr, a->a[0], a->a[1], a->a[2], a->a[3], a->a[4], a->a[5]);

	if (r == 0 && (a->nr == __NR_clone))
		_exit(0);
	return r < 0 ? errno : 0;
}

/* Exit status of a child: 0 as expected, 1 not, 2 the filter did not load. */
static int judged(const struct attempt *a, enum seccomp_variant v)
{
	int want = v == SECCOMP_PLAIN ? a->plain : a->nested, st;
	struct answerer by;
	pid_t pid;

	if (answerer_start(&by))
		return -1;
	pid = fork();
	if (pid == 0) {
		int got;

		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || answered_enter(&set, v, &by, NULL) < 0)
			_exit(2);
		got = try(a);
		/* An unfiltered call may fail on its own; as an invalid one it never says ENOSYS. */
		_exit(want == FINE ? got == ENOSYS || got == EAFNOSUPPORT : got != want);
	}
	waitpid(pid, &st, 0);
	answerer_end(&by);
	if (!WIFEXITED(st) || WEXITSTATUS(st))
		print_error("%s: status %x\n", a->what, st);
	return st;
}

static void test_attempts(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
		bad += judged(&attempts[i], SECCOMP_PLAIN) != 0;
	assert_int_equal(bad, 0);
}

static void test_attempts_nested(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++)
		bad += judged(&attempts[i], SECCOMP_NESTED) != 0;
	assert_int_equal(bad, 0);
}

static int signal_of(void (*fn)(void))
{
	struct answerer by;
	pid_t pid;
	int st;

	if (answerer_start(&by))
		return -1;
	pid = fork();
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    answered_enter(&set, SECCOMP_PLAIN, &by, NULL) < 0)
			_exit(2);
		fn();
		_exit(0);
	}
	waitpid(pid, &st, 0);
	answerer_end(&by);
	return WIFSIGNALED(st) ? WTERMSIG(st) : 0;
}

static void call_x32(void)
{
	syscall(0x40000000 | __NR_getpid);
}

static void call_i386(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
}

static void test_other_architectures(void **state)
{
	(void)state;
	assert_int_equal(signal_of(call_x32), SIGSYS);
	assert_int_equal(signal_of(call_i386), SIGSYS);
}

static void test_no_call_twice(void **state)
{
	static const int nr[] = {
#define SYSCALL(group, name) __NR_##name,
#include "../../userspace/launch/syscalls.def"
#undef SYSCALL
	};
	static unsigned char seen[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(nr); i++) {
		assert_in_range(nr[i], 0, sizeof(seen) - 1);
		assert_int_equal(seen[nr[i]]++, 0);
	}
}

/* 0 where what is asked for seems to be done, and the limit of core dumps stays. */
static int core_stays(void)
{
	static const struct rlimit none = { 0, 0 };
	struct rlimit was, is;

	return getrlimit(RLIMIT_CORE, &was) || setrlimit(RLIMIT_CORE, &none) || syscall(__NR_setrlimit, RLIMIT_CORE, &none) ||
	       getrlimit(RLIMIT_CORE, &is) || was.rlim_cur != 1 || is.rlim_cur != 1;
}

/* Each in a file of its own; 0 where the bit was refused in every way, and another mode was not. */
static int sgid_refused(const char *path, mode_t bit)
{
	int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600), bad = fd < 0;

	bad |= chmod(path, bit | 0755) == 0 || fchmod(fd, bit | 0755) == 0;
	bad |= syscall(__NR_fchmodat, AT_FDCWD, path, bit | 0755) == 0 || syscall(452, AT_FDCWD, path, bit | 0755, 0) == 0;
	bad |= chmod(path, 0755) != 0;
	unlink(path);
	bad |= open(path, O_CREAT | O_WRONLY | O_CLOEXEC, bit | 0755) >= 0 || creat(path, bit | 0755) >= 0;
	bad |= open("/tmp", O_TMPFILE | O_WRONLY | O_CLOEXEC, bit | 0755) >= 0 || mknod(path, S_IFREG | bit | 0755, 0) == 0;
	return bad;
}

static int sgid_and_suid(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/osh-seccomp-%d", getpid());
	return sgid_refused(path, S_ISGID) | sgid_refused(path, S_ISUID);
}

static int sgid_is_fine(void)
{
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/tmp/osh-seccomp-%d", getpid());
	r = mkdir(path, 0755) || chmod(path, 02755);
	rmdir(path);
	return r;
}

static int status_of(enum seccomp_variant v, int (*fn)(void))
{
	static const struct rlimit one = { 1, 1 };
	struct answerer by;
	pid_t pid;
	int st;

	if (answerer_start(&by))
		return -1;
	pid = fork();
	if (pid == 0) {
		if (setrlimit(RLIMIT_CORE, &one) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    answered_enter(&set, v, &by, NULL) < 0)
			_exit(2);
		_exit(fn());
	}
	waitpid(pid, &st, 0);
	answerer_end(&by);
	return st;
}

static void test_core_limit(void **state)
{
	(void)state;
	for (int v = 0; v < SECCOMP_VARIANTS; v++)
		assert_int_equal(status_of((enum seccomp_variant)v, core_stays), 0);
}

static void test_groups(void **state)
{
	(void)state;
	assert_int_equal(status_of(SECCOMP_GROUPS, sgid_and_suid), 0);
	assert_int_equal(status_of(SECCOMP_GROUPS | SECCOMP_NESTED, sgid_and_suid), 0);
	assert_int_equal(status_of(SECCOMP_PLAIN, sgid_is_fine), 0);
}

static void test_never_compiled(void **state)
{
	struct seccomp_set none = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(seccomp_enter(&none, SECCOMP_PLAIN, NULL, &e), -EINVAL);
}

static int setup(void **state)
{
	struct err e = { 0 };

	(void)state;
	return seccomp_compile(&set, &e);
}

static int teardown(void **state)
{
	(void)state;
	seccomp_set_done(&set);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attempts),	      cmocka_unit_test(test_attempts_nested),
		cmocka_unit_test(test_other_architectures), cmocka_unit_test(test_no_call_twice),
		cmocka_unit_test(test_never_compiled),
		cmocka_unit_test(test_core_limit),	      cmocka_unit_test(test_groups),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
