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
