/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What LSM programs about processes, the kernel and sockets have in common. They hold for the tasks of a
 * sandbox once it is furnished (OSH_SB_GUARD): until then osh-launch's child, which is in the sandbox's
 * cgroup from its first instruction, mounts and unshares. Most tasks are in no sandbox and leave in the
 * first line.
 */
#pragma once

#include "decide.bpf.h"

#define EPERM 1

static __always_inline int guarded_task(struct ask *q)
{
	ask_subject(q);
	return q->sb && q->sb->flags & OSH_SB_GUARD;
}

static __always_inline int refuse(struct ask *q, __u32 why)
{
	return decide(q, why) == OSH_ALLOW ? 0 : -EPERM;
}

/* Every task of a sandbox is in its one cgroup: none can make another, and none sees the tree of them. */
static __always_inline int is_fellow(const struct ask *q, struct task_struct *t)
{
	return BPF_CORE_READ(t, cgroups, dfl_cgrp, kn, id) == q->sb->cgroup;
}

/* A socket belongs to the cgroup of the task that made it, or that connected where it was accepted. */
static __always_inline int is_own_socket(const struct ask *q, struct sock *sk)
{
	return BPF_CORE_READ(sk, sk_cgrp_data.cgroup, kn, id) == q->sb->cgroup;
}

/* Words of a short text, to compare: zero after its end, as those of WORDS() are. */
struct words {
	__u64 w[2];
};
#define WORDS(text) ((union { char c[16]; struct words w; }){ .c = text }).w

static __always_inline struct words words_of(const void *kernel_text)
{
	union {
		char c[16];
		struct words w;
	} u = { .w = { { 0, 0 } } };

	bpf_probe_read_kernel_str(u.c, sizeof(u.c), kernel_text);
	return u.w;
}

static __always_inline int same_words(struct words a, struct words b)
{
	return a.w[0] == b.w[0] && a.w[1] == b.w[1];
}
