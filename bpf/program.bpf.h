/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/* Is the asking program among those of a list? For hooks that judge programs, after ask_subject() and ask_taint(). */
#pragma once

#include "sandbox.bpf.h"

static __always_inline __u64 groups_meet(const __u64 *a, const __u64 *b)
{
	__u64 met = 0;

	for (int i = 0; i < OSH_GROUP_WORDS; i++)
		met |= a[i] & b[i];
	return met;
}

/*
 * The asking program's groups under this generation: the task's own, or after a reload what its ident
 * means now. NULL = not judged under this policy; group numbers of two policies do not compare.
 */
static __always_inline const __u64 *groups_now(const struct ask *q)
{
	struct osh_ident_key key = { .id = q->sb->id, .ident = q->ident };
	struct osh_ident *ident;

	if (q->task->generation == q->generation)
		return q->task->groups;
	ident = bpf_map_lookup_elem(&idents, &key);
	if (!ident)
		return NULL;
	if (q->generation & 1)
		return ident->by[1].generation == q->generation ? ident->by[1].groups : NULL;
	return ident->by[0].generation == q->generation ? ident->by[0].groups : NULL;
}

/* No rule lists the program: because of what exec found, such as a replaced file, or simply so. */
static __always_inline __u32 unlisted_why(const struct osh_task *task)
{
	__u32 why = task->why;

	return why > OSH_WHY_ALLOWED && why != OSH_WHY_TAINTED ? why : OSH_WHY_BINARY;
}

/* ALLOWED, or why not. `groups`: of those that list it; `taint_ok`: those for which taint does not matter. */
static __always_inline __u32 program_why(const struct ask *q, const __u64 *of, const __u64 *taint_ok)
{
	const struct osh_task *task = q->task;
	const __u64 *groups;
	__u64 ok[OSH_GROUP_WORDS];

	if (!task || task->exec_id != q->t->self_exec_id)
		return OSH_WHY_EXEC_UNSEEN;
	if (!task->ident)
		return task->why > OSH_WHY_ALLOWED ? task->why : OSH_WHY_NO_IDENTITY;
	groups = groups_now(q);
	if (!groups)
		return OSH_WHY_NO_IDENTITY;
	if (!groups_meet(groups, of))
		return unlisted_why(task);
	if (!q->tainted)
		return OSH_WHY_ALLOWED;
	for (int i = 0; i < OSH_GROUP_WORDS; i++)
		ok[i] = of[i] & taint_ok[i];
	if (groups_meet(groups, ok))
		return OSH_WHY_ALLOWED;
	return q->tainted == OSH_TAINT_MAPPED ? OSH_WHY_MAPPED : OSH_WHY_TAINTED;
}
