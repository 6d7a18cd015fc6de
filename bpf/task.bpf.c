// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/*
 * Processes, where the kernel loads LSM programs: none of a sandbox reaches one outside, by a signal or by
 * what /proc, ptrace and their like ask before they answer; and inside none is traced or has its memory
 * read or written by another, which would be that one's identity in a policy. Whoever is outside is not
 * asked. A task may do to itself what it likes: the kernel does not ask then.
 */
#include "guard.bpf.h"

#define PTRACE_MODE_ATTACH 2u
#define PTRACE_MODE_NOAUDIT 4u

/*
 * Also asked for /proc/PID/mem, maps, environ, fd and the like, process_vm_readv(2), pidfd_getfd(2),
 * kcmp(2) and get_robust_list(2).
 */
SEC("lsm/ptrace_access_check")
int BPF_PROG(osh_ptrace, struct task_struct *child, unsigned int mode)
{
	struct ask q = { .kind = OSH_EV_TASK };
	int outside;

	if (!guarded_task(&q))
		return 0;
	outside = !is_fellow(&q, child);
	if (!outside && !(mode & PTRACE_MODE_ATTACH))
		return 0;
	if (mode & PTRACE_MODE_NOAUDIT)
		return -EPERM;		/* a field of /proc/PID/stat that is shown as 0 */
	q.aux = mode & PTRACE_MODE_ATTACH ? OSH_OP_TRACE : OSH_OP_LOOK;
	return refuse(&q, outside ? OSH_WHY_TASK_OUTSIDE : OSH_WHY_TRACED);
}

SEC("lsm/ptrace_traceme")
int BPF_PROG(osh_traceme, struct task_struct *parent)
{
	struct ask q = { .kind = OSH_EV_TASK, .aux = OSH_OP_TRACE };

	return guarded_task(&q) ? refuse(&q, OSH_WHY_TRACED) : 0;
}

/* What the kernel itself sends (a timer, the end of a child, a key of the terminal) does not come here. */
SEC("lsm/task_kill")
int BPF_PROG(osh_signal, struct task_struct *to, struct kernel_siginfo *info, int sig)
{
	struct ask q = { .kind = OSH_EV_TASK, .aux = OSH_OP_SIGNAL };

	if (!guarded_task(&q) || is_fellow(&q, to))
		return 0;
	return refuse(&q, OSH_WHY_TASK_OUTSIDE);
}
