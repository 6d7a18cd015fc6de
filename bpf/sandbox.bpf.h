/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Who asks: from the running task to its sandbox. What the exec tracker wrote of the task comes
 * first, the cgroup second. Trusts only maps that the daemon or the exec tracker wrote; an id that
 * no longer matches its slot is a former tenant and counts as nobody.
 */
#pragma once

#include "maps.bpf.h"

/* One question and who asks it. Hooks fill it, decide() answers it, the event repeats it. */
struct ask {
	struct task_struct *t;		/* the running task; see ask_task() */
	struct osh_sandbox *sb;		/* NULL = in no known sandbox */
	struct osh_task *task;		/* NULL = never seen by the exec tracker */
	__u32 generation;		/* read once, so that one answer never mixes two policies */
	__u32 ident;
	__u32 rule, host, aux;		/* as in struct osh_event */
	__u16 kind, family;
	__u32 port;			/* host order */
	__u32 addr_be[4];
	__u32 uid;
	__u32 tainted;			/* see ask_taint() */
};

/*
 * verifier: for each way that it follows to this read of `cred` it searches the kernel's type names
 * from end to end, so it is done once, early, and not where the events are written.
 */
static __always_inline void ask_task(struct ask *q, struct task_struct *t)
{
	q->t = t;
	q->uid = t->cred->uid.val;
}

static __always_inline struct osh_sandbox *sandbox_get(__u32 slot)
{
	struct osh_sandbox *sb = bpf_map_lookup_elem(&sandboxes, &slot);

	return sb && sb->id ? sb : NULL;
}

#define PID_LEVELS 32			/* pid namespaces below each other, as the kernel bounds them */

/* What a process is called in the pid namespace of this level. */
static __always_inline struct upid *pid_in(struct pid *pid, __u32 level)
{
	return (void *)&pid->numbers[0] + level * bpf_core_type_size(struct upid);
}

/* Process 1 of a pid namespace below the host's. */
static __always_inline int is_first_pid(struct pid *pid)
{
	__u32 level = BPF_CORE_READ(pid, level);
	int nr = 0;

	if (!level || level > PID_LEVELS)
		return 0;
	return !bpf_core_read(&nr, sizeof(nr), &pid_in(pid, level)->nr) && nr == 1;
}

/* Is `t` in the pid namespace of `pid`, or in one below it? The other process need not live any more. */
static __always_inline int is_seen_by(struct pid *pid, struct task_struct *t)
{
	struct pid *mine = BPF_CORE_READ(t, thread_pid);
	__u32 level = BPF_CORE_READ(pid, level);
	struct pid_namespace *ns = NULL, *own = NULL;

	if (level > PID_LEVELS || BPF_CORE_READ(mine, level) < level)
		return 0;
	bpf_core_read(&ns, sizeof(ns), &pid_in(pid, level)->ns);
	bpf_core_read(&own, sizeof(own), &pid_in(mine, level)->ns);
	return ns && ns == own;
}

static __always_inline int is_ns_init(struct task_struct *task)
{
	return is_first_pid(BPF_CORE_READ(task, thread_pid));
}

/* For programs that run per netns (tc): the cookie is that of the packet's namespace. */
static __always_inline struct osh_sandbox *sandbox_by_netns(__u64 cookie)
{
	__u32 *slot = bpf_map_lookup_elem(&by_netns, &cookie);

	return slot ? sandbox_get(*slot) : NULL;
}

/* v2 cgroup id to sandbox: `by_cgroup` for agents, `by_egress` for egresses. */
static __always_inline struct osh_sandbox *sandbox_by_cgroup(void *map, __u64 cgroup)
{
	__u32 *slot = bpf_map_lookup_elem(map, &cgroup);

	return slot ? sandbox_get(*slot) : NULL;
}

/* What the exec tracker keeps of `t`, or NULL. */
static __always_inline struct osh_task *task_get(struct task_struct *t)
{
	struct osh_task *task;
	__u32 tid;

	if (task_storage)
		return bpf_task_storage_get(&task_data, t, NULL, 0);
	tid = t->pid;
	task = bpf_map_lookup_elem(&tasks, &tid);
	return task && task->start_ns == t->start_boottime ? task : NULL;
}

/* A new entry for `t`: a copy of `from`, or zeroes. NULL when there is no room. */
static __always_inline struct osh_task *task_new(struct task_struct *t, const struct osh_task *from)
{
	struct osh_task fresh = { 0 }, *task;
	__u32 tid = t->pid;

	if (from)
		fresh = *from;
	fresh.start_ns = t->start_boottime;
	if (task_storage) {
		task = bpf_task_storage_get(&task_data, t, &fresh, BPF_LOCAL_STORAGE_GET_F_CREATE);
		if (task)
			*task = fresh;	/* there may have been one, of a former sandbox */
		return task;
	}
	if (bpf_map_update_elem(&tasks, &tid, &fresh, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&tasks, &tid);
}

/*
 * A number that no task has any more. At exit; and at exec for `old_pid` where a thread that is not
 * the leader took the leader's number, since nothing exits under the old one. Storage goes by itself.
 */
static __always_inline void task_drop(__u32 tid)
{
	if (!task_storage)
		bpf_map_delete_elem(&tasks, &tid);
}

/* What is known of `t`, only while its sandbox is alive under the same id. */
static __always_inline struct osh_task *task_of(struct task_struct *t, struct osh_sandbox **ret_sb)
{
	struct osh_task *task = task_get(t);
	struct osh_sandbox *sb;

	if (!task)
		return NULL;
	sb = sandbox_get(task->slot);
	if (!sb || sb->id != task->id)
		return NULL;
	*ret_sb = sb;
	return task;
}

/*
 * Fills t, sb, task, generation and ident: 0 where the tracker did not see the last exec, since what
 * runs now is then unknown. A hook on a sandbox's cgroup is only ever called for a
 * task of a sandbox, so sb == NULL afterwards means deny (decide() does).
 */
static __always_inline void ask_subject(struct ask *q)
{
	ask_task(q, bpf_get_current_task_btf());
	q->sb = NULL;
	q->ident = 0;
	q->task = task_of(q->t, &q->sb);
	if (q->task && q->task->exec_id == q->t->self_exec_id)
		q->ident = q->task->ident;
	if (!q->task)
		q->sb = sandbox_by_cgroup(&by_cgroup, bpf_get_current_cgroup_id());
	q->generation = q->sb ? *(volatile __u32 *)&q->sb->generation : 0;
}

/* verifier: global, so that it is looked at once and gives one number. */
__weak __noinline __u32 soft_code_of(__u32 id)
{
	struct task_struct *t = bpf_get_current_task_btf();
	struct osh_mapped_key key = { .mm = (__u64)BPF_CORE_READ(t, mm), .id = id };

	return bpf_map_lookup_elem(&mapped, &key) ? OSH_TAINT_MAPPED : 0;
}

/* Was code of a file that the sandbox can write mapped into the running address space (bpf/run.bpf.c)? */
static __always_inline __u32 has_soft_code(const struct osh_sandbox *sb)
{
	return *(volatile __u32 *)&sb->mapped ? soft_code_of(sb->id) : 0;
}

/* As osh_task.tainted; for hooks that judge programs, after ask_subject(). */
static __always_inline void ask_taint(struct ask *q)
{
	q->tainted = q->task ? q->task->tainted : 0;
	if (q->task && q->sb && !q->tainted)
		q->tainted = has_soft_code(q->sb);
}

/* An address space that is new, where one that had the same place may have been. */
static __always_inline void mapped_forget(__u64 mm, struct osh_sandbox *sb)
{
	struct osh_mapped_key key = { .mm = mm, .id = sb->id };

	if (*(volatile __u32 *)&sb->mapped && !bpf_map_delete_elem(&mapped, &key))
		__sync_fetch_and_add(&sb->mapped, -1);
}

/* By the parent. A child with a copy of the address space has what was mapped there; one that shares it is found by it. */
static __always_inline void mapped_fork(struct task_struct *parent, struct task_struct *child,
					struct osh_sandbox *sb, struct osh_task *t)
{
	__u64 mm = (__u64)BPF_CORE_READ(child, mm);
	__u32 was;

	if (!*(volatile __u32 *)&sb->mapped || mm == (__u64)BPF_CORE_READ(parent, mm))
		return;
	was = has_soft_code(sb);
	mapped_forget(mm, sb);
	if (was && !t->tainted)
		t->tainted = was;
}
