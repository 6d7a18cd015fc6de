/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The egress' own filter, loaded in a child for each question. TCP and UDP are all that its cage's hooks
 * see, so they are all that it may make; nothing else of it may reach files, processes or code.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "confine.h"
#include "own.h"

#include <cmocka.h>			/* last: it has a macro fail() */

#define HIGH (1ul << 32)		/* ignored by the kernel where it reads an int */
#define DIES (-1)
#define FINE 0				/* the filter lets it through, whatever the kernel then says */

static const struct attempt {
	const char *what;
	long nr;
	unsigned long a[6];
	int want;			/* DIES, FINE, or the filter's errno */
} attempts[] = {
	/* clang-format off */
	{ "tcp",             __NR_socket, { AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0 }, FINE },
	{ "tcp by name",     __NR_socket, { AF_INET, SOCK_STREAM, IPPROTO_TCP }, FINE },
	{ "tcp6",            __NR_socket, { AF_INET6, SOCK_STREAM, 0 }, FINE },
	{ "udp",             __NR_socket, { AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0 }, FINE },
	{ "udp6 by name",    __NR_socket, { AF_INET6, SOCK_DGRAM, IPPROTO_UDP }, FINE },
	{ "sctp",            __NR_socket, { AF_INET, SOCK_STREAM, IPPROTO_SCTP }, DIES },
	{ "sctp, seqpacket", __NR_socket, { AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP }, DIES },
	{ "mptcp",           __NR_socket, { AF_INET, SOCK_STREAM, IPPROTO_MPTCP }, DIES },
	{ "dccp",            __NR_socket, { AF_INET, SOCK_DCCP, IPPROTO_DCCP }, DIES },
	{ "udplite",         __NR_socket, { AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE }, DIES },
	{ "ping",            __NR_socket, { AF_INET, SOCK_DGRAM, IPPROTO_ICMP }, DIES },
	{ "ping6",           __NR_socket, { AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6 }, DIES },
	{ "ping, high bit",  __NR_socket, { AF_INET, SOCK_DGRAM, HIGH | IPPROTO_ICMP }, DIES },
	{ "raw",             __NR_socket, { AF_INET, SOCK_RAW, IPPROTO_TCP }, DIES },
	{ "raw6",            __NR_socket, { AF_INET6, SOCK_RAW, 0 }, DIES },
	{ "udp as tcp",      __NR_socket, { AF_INET, SOCK_STREAM, IPPROTO_UDP }, DIES },
	{ "unix",            __NR_socket, { AF_UNIX, SOCK_STREAM, 0 }, DIES },
	{ "netlink",         __NR_socket, { AF_NETLINK, SOCK_RAW, 0 }, DIES },
	{ "packet",          __NR_socket, { AF_PACKET, SOCK_RAW, 0 }, DIES },
	{ "vsock",           __NR_socket, { AF_VSOCK, SOCK_STREAM, 0 }, DIES },
	{ "alg",             __NR_socket, { AF_ALG, SOCK_SEQPACKET, 0 }, DIES },
	{ "socketpair",      __NR_socketpair, { AF_UNIX, SOCK_STREAM, 0, 0 }, DIES },
	{ "listen",          __NR_listen, { 0, 1 }, DIES },
	{ "bind",            __NR_bind,   { 0, 0, 0 }, DIES },
	{ "open",            __NR_openat, { 0, (unsigned long)"/etc/passwd", 0 }, EPERM },
	{ "execute",         __NR_execve, { (unsigned long)"/bin/true", 0, 0 }, DIES },
	{ "fork",            __NR_fork,   { 0 }, DIES },
	{ "kill",            __NR_kill,   { 1, 0 }, DIES },
	{ "ptrace",          __NR_ptrace, { 0 }, DIES },
	{ "write a map",     __NR_bpf,    { BPF_MAP_UPDATE_ELEM, 0, 0 }, DIES },
	{ "load a program",  __NR_bpf,    { BPF_PROG_LOAD, 0, 0 }, DIES },
	{ "read a map",      __NR_bpf,    { BPF_MAP_LOOKUP_ELEM, 0, 0 }, FINE },
	{ "code",            __NR_mmap,   { 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1ul, 0 }, DIES },
	{ "data into code",  __NR_mprotect, { 0, 4096, PROT_READ | PROT_EXEC }, DIES },
	{ "io_uring",        __NR_io_uring_setup, { 1, 0 }, DIES },
	/* clang-format on */
};

static int status_of(const struct attempt *a)
{
	struct rlimit none = { 0, 0 };
	struct err e = { 0 };
	int st;
	pid_t pid = fork();

	if (pid == 0) {
		long r;

		setrlimit(RLIMIT_CORE, &none);
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || confine_calls(&e))
			_exit(255);
		r = syscall(a->nr, a->a[0], a->a[1], a->a[2], a->a[3], a->a[4], a->a[5]);
		_exit(r < 0 ? errno : 0);
	}
	waitpid(pid, &st, 0);
	return st;
}

static void test_attempts(void **state)
{
	int bad = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(attempts); i++) {
		int st = status_of(&attempts[i]), want = attempts[i].want;
		bool died = WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS;
		bool good = want == DIES ? died
			    : want == FINE ? WIFEXITED(st) && WEXITSTATUS(st) != 255
					   : WIFEXITED(st) && WEXITSTATUS(st) == want;

		if (!good)
			print_error("%s: status %x\n", attempts[i].what, st);
		bad += !good;
	}
	assert_int_equal(bad, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_attempts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
