/* SPDX-License-Identifier: Apache-2.0 */
#include "cage.h"

#include <fcntl.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "osh/limits.h"
#include "own.h"

static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(close), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(lstat), SCMP_SYS(stat), SCMP_SYS(getdents64), SCMP_SYS(readlink), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(lseek), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(getrandom), SCMP_SYS(fcntl),
#ifdef __SANITIZE_ADDRESS__
	SCMP_SYS(sigaltstack), SCMP_SYS(gettid), SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(getpid), SCMP_SYS(prctl),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(clone), SCMP_SYS(wait4), SCMP_SYS(ptrace), SCMP_SYS(mprotect),
#endif
};

/* Files for reading alone: a device node that is opened by mistake is still refused what is written to it. */
static int fill(scmp_filter_ctx c)
{
	const scmp_datum_t writes = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC;
	int r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, writes, 0));

	if (!r)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(open), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, writes, 0));
	if (!r)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	for (size_t i = 0; !r && i < ARRAY_SIZE(calls); i++)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, calls[i], 0);
	return r ? r : seccomp_load(c);
}

static int bound(void)
{
	static const struct {
		int what;
		rlim_t max;
	} limits[] = { { RLIMIT_CPU, 5 }, { RLIMIT_CORE, 0 }, { RLIMIT_NOFILE, 32 }, { RLIMIT_FSIZE, 32 << 20 },
#ifndef __SANITIZE_ADDRESS__
		       { RLIMIT_AS, 512 << 20 },
#endif
	};

	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		if (setrlimit(limits[i].what, &(struct rlimit){ limits[i].max, limits[i].max }) < 0)
			return -errno;
	return 0;
}

int gpu_cage(struct err *e)
{
	const uid_t uid = OSH_UID_PARSE;
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(e, errno, "give up privileges: %s", strerror(errno));
	if (!geteuid() && (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
		return fail(e, errno, "become uid %u: %s", uid, strerror(errno));
	if (setuid(0) == 0)
		return fail(e, EPERM, "could still become root");
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return fail(e, errno, "give up privileges: %s", strerror(errno));
	r = bound();
	if (!r)
		r = c ? fill(c) : -ENOMEM;
	if (c)
		seccomp_release(c);
	return r < 0 ? fail(e, -r, "confine: %s", strerror(-r)) : 0;
}
