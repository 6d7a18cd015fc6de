/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Order: groups, gid, uid (with it every capability), no_new_privs, dumpable, limits, seccomp. Another uid forgets what
 * signal a parent's death is to send, so that comes after.
 */
#include "cage.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "answer.h"
#include "audit.h"
#include "own.h"

static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(recvmsg), SCMP_SYS(close),
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_ctl), SCMP_SYS(poll), SCMP_SYS(setitimer), SCMP_SYS(munmap),
	SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(clock_gettime), SCMP_SYS(fdatasync), SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), SCMP_SYS(lseek), SCMP_SYS(exit_group), SCMP_SYS(exit),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(madvise), SCMP_SYS(futex),
	SCMP_SYS(getrandom), SCMP_SYS(writev), SCMP_SYS(getpid),
	SCMP_SYS(shutdown), SCMP_SYS(pidfd_open),
	SCMP_SYS(sysinfo),		/* qsort(3) of more than a kilobyte asks how much memory there is */
#ifdef __SANITIZE_ADDRESS__
	SCMP_SYS(sigaltstack), SCMP_SYS(gettid), SCMP_SYS(sched_yield),
#endif
};

/* Look-ups only, words with an address to oshd alone, no code but what is loaded, and no way to take O_APPEND from a log. */
static const struct {
	int call;
	struct scmp_arg_cmp arg;
} judged[] = {
	{ SCMP_SYS(bpf), { 0, SCMP_CMP_EQ, BPF_MAP_LOOKUP_ELEM, 0 } },
	{ SCMP_SYS(bpf), { 0, SCMP_CMP_EQ, BPF_MAP_GET_NEXT_KEY, 0 } },
	{ SCMP_SYS(sendmsg), { 0, SCMP_CMP_EQ, AFD_CONTROL, 0 } },
	{ SCMP_SYS(fcntl), { 1, SCMP_CMP_EQ, F_DUPFD_CLOEXEC, 0 } },
	{ SCMP_SYS(fcntl), { 1, SCMP_CMP_EQ, F_GET_SEALS, 0 } },
	{ SCMP_SYS(mmap), { 2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0 } },
};

/*
 * Refused calls of sandboxes: receive, still alive?, and answer, from the few places alone that answer.h
 * keeps. An answer from anywhere else could let the call through, and a descriptor could be planted.
 */
static int listener_rules(scmp_filter_ctx c)
{
	static const unsigned long plain[] = { SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_ID_VALID,
					       ANSWER_PIDFD_INFO };
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_SIZE(plain); i++)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				     SCMP_A1(SCMP_CMP_EQ, plain[i], 0));
	for (int i = 0; !r && i < ANSWERS; i++)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 2,
				     SCMP_A1(SCMP_CMP_EQ, SECCOMP_IOCTL_NOTIF_SEND, 0),
				     SCMP_A2(SCMP_CMP_EQ, answer_place(i), 0));
	return r;
}

static int filter(struct err *e)
{
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int r = c ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < ARRAY_SIZE(calls); i++)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, calls[i], 0);
	for (size_t i = 0; !r && i < ARRAY_SIZE(judged); i++)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, judged[i].call, 1, judged[i].arg);
	if (!r)
		r = listener_rules(c);
	if (!r)				/* the thread of sync.c too */
		r = seccomp_attr_set(c, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!r)
		r = seccomp_load(c);
	if (c)
		seccomp_release(c);
	return r ? fail(e, -r, "seccomp: %s", strerror(-r)) : 0;
}

int cage_enter(uid_t uid, bool dies_with_parent, struct err *e)
{
	struct rlimit none = { 0, 0 };

	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return fail(e, errno, "become uid %u: %s", uid, strerror(errno));
	if (setuid(0) == 0)
		return fail(e, EPERM, "could still become root");
	if (dies_with_parent && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return fail(e, errno, "end with oshd: %s", strerror(errno));
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0)
		return fail(e, errno, "give up privileges: %s", strerror(errno));
	return filter(e);
}
