/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Forgets tasks when they exit. Left out, `tasks` would fill up, and new programs would have no
 * identity: denied, never allowed, since an entry counts only for the task that it was made for.
 */
#include "sandbox.bpf.h"

SEC("tp_btf/sched_process_exit")
int BPF_PROG(osh_exit, struct task_struct *task)
{
	task_drop(task->pid);
	return 0;
}
