/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * Paths that are for some programs only: `binaries` in filesystem_policy. The mount view and Landlock let the whole sandbox
 * there, since one of its programs may; this takes it away from the others. The nearest entry from a file upwards decides
 * (`reserved`, by inode). Nobody inside can move one, nor what it lies in: the compiler and osh-launch see to that.
 *
 * What was opened stays open: it may be passed on like what was read, by whoever may read it.
 */
#pragma once

#include "deny.bpf.h"
#include "program.bpf.h"

struct reserved_up {
	struct deny_walk *w;
	__u64 d;
	__u64 bits;
	__u32 end;			/* an entry, or the top of a file system */
};

/* Towards the root, remembering the way for the log. */
static long reserved_step(__u32 i, struct reserved_up *u)
{
	struct dentry *d = (void *)u->d, *parent;
	struct osh_reserved_key key = { .inode = (__u64)BPF_CORE_READ(d, d_inode), .id = u->w->id };

	u->w->n = i;
	u->end = 1;
	if (u->bits & osh_inode_bit(key.inode) && bpf_map_lookup_elem(&reserved, &key)) {
		u->w->root = key.inode;
		return 1;
	}
	parent = BPF_CORE_READ(d, d_parent);
	if (parent == d)
		return 1;
	u->end = 0;
	asm volatile("%0 &= 127" : "+r"(i));
	u->w->at[i] = u->d;
	u->d = (__u64)parent;
	return 0;
}

/* 0 = the running program may read or write what the dentry is, or it is for all; else the reason. */
__u32 reserved_why(struct deny_walk *w, __u64 dentry, __u32 write)
{
	struct reserved_up u = { .w = w, .d = dentry };
	struct ask q = { .kind = OSH_EV_FILE };
	const __u64 none[OSH_GROUP_WORDS] = { 0 };
	struct osh_reserved_key key = { 0 };
	struct osh_reserved *entry;
	__u32 why;

	ask_subject(&q);
	if (!w || !q.sb)
		return OSH_WHY_INTERNAL;
	u.bits = q.sb->reserved_bits;
	w->root = 0;
	w->row = w->near = 0;
	bpf_loop(OSH_DENY_DEPTH, reserved_step, &u, 0);
	if (!u.end)
		return OSH_WHY_FILE_UNRESOLVED;
	if (!w->root)
		return 0;
	key.inode = w->root;
	key.id = w->id;
	entry = bpf_map_lookup_elem(&reserved, &key);
	if (!entry)
		return OSH_WHY_FILE_UNRESOLVED;
	if (entry->all > !!write)
		return 0;
	w->row = entry->row;
	ask_taint(&q);
	why = program_why(&q, write ? entry->write : entry->read, none);
	return why == OSH_WHY_ALLOWED ? 0 : why;
}

static __always_inline int has_reserved(const struct ask *q)
{
	return q->sb && *(volatile __u64 *)&q->sb->reserved_bits && q->sb->flags & OSH_SB_GUARD;
}

/* Has there ever been such a path on this host? Then each open for reading asks who it is by. */
static __always_inline int reserved_anywhere(void)
{
	__u32 zero = 0;
	struct osh_host *h = bpf_map_lookup_elem(&host, &zero);

	return h && *(volatile __u32 *)&h->reserved;
}
