/* SPDX-License-Identifier: Apache-2.0 */
#include "cage.h"

#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"

static const int of_all[] = {
	SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(recvmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(sendto),
	SCMP_SYS(close), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(fstatfs), SCMP_SYS(statx), SCMP_SYS(alarm), SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(setitimer),
#ifdef __SANITIZE_ADDRESS__
	SCMP_SYS(sigaltstack), SCMP_SYS(gettid), SCMP_SYS(futex), SCMP_SYS(sched_yield), SCMP_SYS(madvise),
	SCMP_SYS(getpid), SCMP_SYS(write),
#endif
};

static const int of_the_door[] = {
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(socketpair), SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(wait4),
	SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq), SCMP_SYS(gettid), SCMP_SYS(futex),
};

static struct sock_fprog narrow;

static int fill(scmp_filter_ctx c, bool door)
{
	int r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, SCMP_A1(SCMP_CMP_EQ, F_GETFL, 0));

	for (size_t i = 0; !r && i < ARRAY_SIZE(of_all); i++)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, of_all[i], 0);
	for (size_t i = 0; !r && door && i < ARRAY_SIZE(of_the_door); i++)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, of_the_door[i], 0);
	if (!r)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, SIOCINQ, 0));
	if (!r)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				     SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!r && door)				/* fork(2), and none that makes a namespace */
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				     SCMP_A0(SCMP_CMP_MASKED_EQ, ~(scmp_datum_t)(0x01200000 | SIGCHLD), 0));
	if (!r && door)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, PR_SET_PDEATHSIG, 0));
	if (!r && door)
		r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(prctl), 1, SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0));
	return r;
}

static int compile(bool door, struct sock_fprog *ret)
{
	_close_ int fd = memfd_create("seccomp", MFD_CLOEXEC);
	scmp_filter_ctx c = seccomp_init(SCMP_ACT_KILL_PROCESS);
	struct stat st;
	int r = fd < 0 ? -errno : !c ? -ENOMEM : fill(c, door);

	if (!r)
		r = seccomp_export_bpf(c, fd);
	if (c)
		seccomp_release(c);
	if (r || fstat(fd, &st) < 0)
		return r ? r : -errno;
	ret->len = (unsigned short)((size_t)st.st_size / sizeof(struct sock_filter));
	ret->filter = malloc((size_t)st.st_size);
	if (!ret->filter || pread(fd, ret->filter, (size_t)st.st_size, 0) != st.st_size)
		return -ENOMEM;
	return 0;
}

int front_cage(uid_t uid, struct err *e)
{
	struct rlimit none = { 0, 0 }, files;
	struct sock_fprog door;
	int r = compile(true, &door);

	if (!r)
		r = compile(false, &narrow);
	if (r < 0)
		return fail(e, -r, "seccomp: %s", strerror(-r));
	if (!getrlimit(RLIMIT_NOFILE, &files)) {	/* answers carry descriptors; what waits is counted for all of us */
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files);
	}
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		return fail(e, errno, "become uid %u: %s", uid, strerror(errno));
	if (setuid(0) == 0)
		return fail(e, EPERM, "could still become root");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0 || setrlimit(RLIMIT_CORE, &none) < 0)
		return fail(e, errno, "give up privileges: %s", strerror(errno));
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &door) < 0)
		return fail(e, errno, "seccomp: %s", strerror(errno));
	return 0;
}

void cage_narrow(void)
{
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &narrow) < 0)
		_exit(1);
}
