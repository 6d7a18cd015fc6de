/* SPDX-License-Identifier: Apache-2.0 */
/* The system calls of osh-egress. Anything else ends the process: nothing that it does needs more. */
#include "confine.h"

#include <linux/bpf.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "osh/msg.h"
#include "own.h"

/* clang-format off */
static const int plain[] = {
	SCMP_SYS(accept4), SCMP_SYS(brk), SCMP_SYS(clock_gettime), SCMP_SYS(close),
	SCMP_SYS(connect), SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_wait), SCMP_SYS(exit), SCMP_SYS(exit_group), SCMP_SYS(fcntl),
	SCMP_SYS(fstat), SCMP_SYS(futex), SCMP_SYS(getpid), SCMP_SYS(getrandom), SCMP_SYS(getsockname),
	SCMP_SYS(getsockopt), SCMP_SYS(gettid), SCMP_SYS(gettimeofday), SCMP_SYS(landlock_add_rule),
	SCMP_SYS(landlock_create_ruleset), SCMP_SYS(landlock_restrict_self), SCMP_SYS(lseek),
	SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(mlock2),
	SCMP_SYS(mlockall), SCMP_SYS(mremap), SCMP_SYS(munmap), SCMP_SYS(newfstatat), SCMP_SYS(pipe2), SCMP_SYS(pread64),
	SCMP_SYS(read), SCMP_SYS(readv), SCMP_SYS(recvfrom),
	SCMP_SYS(restart_syscall), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt), SCMP_SYS(shutdown),
	SCMP_SYS(splice), SCMP_SYS(tgkill), SCMP_SYS(time), SCMP_SYS(write), SCMP_SYS(writev),
#ifdef __SANITIZE_ADDRESS__
	SCMP_SYS(sigaltstack), SCMP_SYS(sched_yield), SCMP_SYS(rt_sigaction),
#endif
};

/* Probes of libraries that take no for an answer. */
static const int refused[] = {
	SCMP_SYS(access), SCMP_SYS(faccessat2), SCMP_SYS(getcwd), SCMP_SYS(ioctl),
	SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(prctl),
	SCMP_SYS(readlink), SCMP_SYS(stat), SCMP_SYS(statx), SCMP_SYS(sysinfo), SCMP_SYS(uname),
};

static const struct {
	int call;
	struct scmp_arg_cmp arg;
} judged[] = {
	{ SCMP_SYS(bpf), { 0, SCMP_CMP_EQ, BPF_MAP_LOOKUP_ELEM, 0 } },
	{ SCMP_SYS(mmap), { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
	{ SCMP_SYS(mprotect), { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
	{ SCMP_SYS(recvmsg), { 0, SCMP_CMP_EQ, 3 + OSH_EFD_CONTROL, 0 } },	/* a bundle, from oshd */
	{ SCMP_SYS(dup2), { 1, SCMP_CMP_EQ, 2, 0 } },		/* /dev/null over stderr */
};
/* clang-format on */

/*
 * TCP and UDP alone. The connect hooks see neither SCTP nor a ping socket's datagrams, and any user may
 * make those: with them a taken-over egress would reach what its cage denies.
 */
static int add_sockets(scmp_filter_ctx ctx)
{
	static const struct {
		unsigned type, proto;
	} kinds[] = { { SOCK_STREAM, 0 }, { SOCK_STREAM, IPPROTO_TCP }, { SOCK_DGRAM, 0 }, { SOCK_DGRAM, IPPROTO_UDP } };
	static const unsigned families[] = { AF_INET, AF_INET6 };
	const uint64_t low = 0xffffffffu, type = low & ~(uint64_t)(SOCK_CLOEXEC | SOCK_NONBLOCK);
	int r = 0;

	for (size_t f = 0; f < ARRAY_SIZE(families); f++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds) && !r; k++)
			r = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
						   SCMP_A0(SCMP_CMP_MASKED_EQ, low, families[f]),
						   SCMP_A1(SCMP_CMP_MASKED_EQ, type, kinds[k].type),
						   SCMP_A2(SCMP_CMP_MASKED_EQ, low, kinds[k].proto));
	return r;
}

static int add_all(scmp_filter_ctx ctx)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(plain) && !r; i++)
		r = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, plain[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(refused) && !r; i++)
		r = seccomp_rule_add_exact(ctx, SCMP_ACT_ERRNO(EPERM), refused[i], 0);
	for (size_t i = 0; i < ARRAY_SIZE(judged) && !r; i++)
		r = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, judged[i].call, 1, judged[i].arg);
	return r ? r : add_sockets(ctx);
}

int confine_calls(struct err *e)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (!ctx)
		return fail(e, ENOMEM, "seccomp: out of memory");
	r = add_all(ctx);
	if (!r)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	return r ? fail(e, -r, "seccomp: %s", strerror(-r)) : 0;
}
