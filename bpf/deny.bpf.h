/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * May a path be written? The entries of `deny` are a list of segments, and a set of them says what may
 * come next: it begins at the root of a writable mount (`deny_roots`) and is carried down along the names.
 * Where a path reaches the end of an entry it is denied, and everything below it.
 *
 * Only dentries are read, so it does not matter which mount or descriptor led there; no text is put
 * together, so none is cut. A directory may be renamed only where the set is the same before and after:
 * then no rename changes what holds below it, and the set of a directory is the same for its life.
 *
 * The way down is kept in task storage: LSM programs may be preempted, and per-CPU memory would be shared.
 *
 * verifier: functions that are not static are looked at once each, and not once for every way that leads to
 * them through loops in loops; they take numbers alone, so each gets the task's memory anew, and the
 * dentries as numbers from there.
 */
#pragma once

#include "decide.bpf.h"

#include "osh/glob.h"

struct deny_walk {
	__u64 at[OSH_DENY_DEPTH];	/* struct dentry *, from the leaf upwards */
	__u32 seq[OSH_DENY_DEPTH];
	__u64 live[OSH_DENY_WORDS], next[OSH_DENY_WORDS];
	__u64 was[OSH_DENY_WORDS];	/* the set of a first path, to compare with a second one's */
	__u64 name[OSH_PATH_MAX / 8];	/* zero after the name */
	struct glob glob;
	__u64 leaf, other;		/* struct dentry *: what is asked about, and where it moves from */
	__u64 root;			/* inode at the root, 0 = none */
	__u32 id;
	__u32 n;			/* dentries below the root */
	__u32 row;			/* row + 1 of the entry that denies, 0 = none */
	__u32 hit;			/* HIT_* */
	__u32 near;			/* row + 1 of an entry that leads through the last name */
	__u32 pos;			/* of the text for the log, filled from the end */
	char text[2 * OSH_PATH_MAX];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct deny_walk);
} deny_walks SEC(".maps");

MAP_HASH(denies, __u32, struct osh_deny, OSH_SLOTS, BPF_F_NO_PREALLOC);
MAP_HASH(deny_globs, struct osh_deny_glob_key, struct osh_deny_glob, 1 << 16, BPF_F_NO_PREALLOC);
MAP_HASH(deny_roots, struct osh_deny_inode_key, struct osh_deny_root, 1 << 16, BPF_F_NO_PREALLOC);
MAP_HASH(deny_inodes, struct osh_deny_inode_key, __u32, 1 << 16, BPF_F_NO_PREALLOC);

/* What the last segment of a path was to the entries. */
#define HIT_LITERAL 1u			/* a denied path leads through exactly this name */
#define HIT_ANY 2u			/* ..., or through every name of such a form */

enum look_answer { LOOK_DONE, LOOK_AGAIN, LOOK_BAD };

static __always_inline struct deny_walk *walk_of_task(__u64 flags)
{
	return bpf_task_storage_get(&deny_walks, bpf_get_current_task_btf(), NULL, flags);
}

static __always_inline __u32 dentry_seq(struct dentry *d)
{
	return BPF_CORE_READ(d, d_seq.seqcount.sequence);
}

struct up {
	struct deny_walk *w;
	struct dentry *d;
	__u32 found;			/* a root, or the top of a file system that no entry is about */
};

/* Towards the root, remembering the way. */
static long up_step(__u32 i, struct up *u)
{
	struct osh_deny_inode_key key = { .id = u->w->id };
	struct dentry *d = u->d, *parent;
	__u32 seq = dentry_seq(d);

	key.inode = (__u64)BPF_CORE_READ(d, d_inode);
	u->w->n = i;
	u->found = 1;
	if (key.inode && bpf_map_lookup_elem(&deny_roots, &key)) {
		u->w->root = key.inode;
		return 1;
	}
	parent = BPF_CORE_READ(d, d_parent);
	if (parent == d)
		return 1;
	u->found = 0;
	asm volatile("%0 &= 127" : "+r"(i));
	u->w->at[i] = (__u64)d;
	u->w->seq[i] = seq;
	u->d = parent;
	return 0;
}

static __always_inline void live_add(__u64 *set, __u32 n)
{
	set[n / 64 & (OSH_DENY_WORDS - 1)] |= 1ull << (n & 63);
}

static __always_inline int live_any(const __u64 *set)
{
	__u64 any = 0;

	for (int i = 0; i < OSH_DENY_WORDS; i++)
		any |= set[i];
	return any != 0;
}

struct glob_try {
	struct deny_walk *w;
	struct osh_deny_glob *g;
	__u32 answer;			/* enum glob_answer */
};

static long glob_try_step(__u32 i, struct glob_try *t)
{
	t->answer = glob_step(&t->w->glob, t->g->pattern, (const char *)t->w->name);
	return t->answer != GLOB_MORE;
}

/* Does the name match the pattern of this segment? A match that is given up counts as one: it can only deny. */
__u32 deny_glob(__u32 seg)
{
	struct glob_try t = { .w = walk_of_task(0), .answer = GLOB_MORE };
	struct osh_deny_glob_key key = { .n = seg };

	if (!t.w)
		return 1;
	key.id = t.w->id;
	t.g = bpf_map_lookup_elem(&deny_globs, &key);
	if (!t.g)
		return 1;
	__builtin_memset(&t.w->glob, 0, sizeof(t.w->glob));
	bpf_loop(GLOB_STEPS, glob_try_step, &t, 0);
	return t.answer != GLOB_NO;
}

struct seg_scan {
	struct deny_walk *w;
	struct osh_deny *t;
	__u64 hash;
	__u32 len;
};

static __always_inline int seg_matches(const struct seg_scan *s, const struct osh_seg *seg, __u32 n)
{
	if (seg->kind == OSH_SEG_LITERAL)
		return seg->hash == s->hash && seg->len == s->len;
	return seg->kind == OSH_SEG_ANY || deny_glob(n);
}

static long seg_step(__u32 n, struct seg_scan *s)
{
	struct deny_walk *w = s->w;
	struct osh_seg *seg;

	if (n >= OSH_DENY_SEGS)
		return 1;
	if (!(w->live[n / 64 & (OSH_DENY_WORDS - 1)] >> (n & 63) & 1))
		return 0;
	seg = &s->t->seg[n];
	if (seg->kind == OSH_SEG_DEEP) {
		live_add(w->next, n);
		live_add(w->next, n + 1);
		return 0;
	}
	if (!seg_matches(s, seg, n))
		return 0;
	if (seg->last) {
		w->row = seg->row + 1;
		return 1;
	}
	w->near = seg->row + 1;
	w->hit |= seg->kind == OSH_SEG_LITERAL ? HIT_LITERAL | HIT_ANY : HIT_ANY;
	live_add(w->next, ++n);
	n &= OSH_DENY_SEGS - 1;
	if (s->t->seg[n].kind == OSH_SEG_DEEP)
		live_add(w->next, n + 1);
	return 0;
}

/* A name into memory, zero after it. */
static __always_inline int name_read(struct deny_walk *w, struct dentry *d, __u32 *ret_len)
{
	const unsigned char *name = BPF_CORE_READ(d, d_name.name);
	__u32 len = BPF_CORE_READ(d, d_name.len);

	asm volatile("%0 &= 255" : "+r"(len));
	for (int i = 0; i < OSH_SEG_SHORT / 8; i++)
		w->name[i] = 0;
	if (len >= OSH_SEG_SHORT)
		for (int i = OSH_SEG_SHORT / 8; i < OSH_PATH_MAX / 8; i++)
			w->name[i] = 0;
	*ret_len = len;
	return bpf_probe_read_kernel(w->name, len, name);
}

/* One name further down: the i-th from the leaf. enum look_answer. */
__u32 deny_name(__u32 i)
{
	struct seg_scan s = { .w = walk_of_task(0) };
	struct deny_walk *w = s.w;
	struct dentry *d;
	__u32 id;

	if (!w)
		return LOOK_BAD;
	id = w->id;
	s.t = bpf_map_lookup_elem(&denies, &id);
	if (!s.t)
		return LOOK_BAD;
	asm volatile("%0 &= 127" : "+r"(i));
	d = (void *)w->at[i];
	if (name_read(w, d, &s.len) || w->seq[i] & 1 || dentry_seq(d) != w->seq[i])
		return LOOK_AGAIN;
	s.hash = osh_seg_hash(w->name, s.len);
	w->hit = w->near = 0;
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		w->next[k] = 0;
	bpf_loop(s.t->n, seg_step, &s, 0);
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		w->live[k] = w->next[k];
	return LOOK_DONE;
}

struct down {
	struct deny_walk *w;
	__u32 answer;
};

static long down_step(__u32 i, struct down *s)
{
	s->answer = deny_name(s->w->n - 1 - i);
	return s->answer != LOOK_DONE || s->w->row || !live_any(s->w->live);
}

/* enum look_answer, and then w->row, w->hit and w->live. */
__u32 deny_walk(__u64 dentry)
{
	struct up u = { .w = walk_of_task(0), .d = (void *)dentry };
	struct deny_walk *w = u.w;
	struct osh_deny_inode_key key = { 0 };
	struct down down = { .w = w };
	struct osh_deny_root *root;

	if (!w)
		return LOOK_BAD;
	w->root = 0;
	w->row = w->hit = w->near = 0;
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		w->live[k] = 0;
	bpf_loop(OSH_DENY_DEPTH, up_step, &u, 0);
	if (!u.found)
		return LOOK_BAD;	/* too deep */
	key.inode = w->root;
	key.id = w->id;
	root = key.inode ? bpf_map_lookup_elem(&deny_roots, &key) : NULL;
	if (!root)
		return LOOK_DONE;
	w->row = root->all;
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		w->live[k] = root->live[k];
	if (!w->row && live_any(w->live))
		bpf_loop(w->n, down_step, &down, 0);
	return down.answer;
}

/* What the entries say of a dentry: 0, or a reason to deny at once. A name that changes meanwhile is read again. */
__u32 deny_look(__u64 dentry)
{
	struct deny_walk *w = walk_of_task(0);
	struct osh_deny_inode_key key = { 0 };
	__u32 r = deny_walk(dentry), *row;

	if (r == LOOK_AGAIN)
		r = deny_walk(dentry);
	if (r == LOOK_AGAIN)
		r = deny_walk(dentry);
	if (r == LOOK_AGAIN)
		r = deny_walk(dentry);
	if (!w || r != LOOK_DONE)
		return OSH_WHY_FILE_UNRESOLVED;
	key.id = w->id;
	key.inode = (__u64)BPF_CORE_READ((struct dentry *)dentry, d_inode);
	row = key.inode ? bpf_map_lookup_elem(&deny_inodes, &key) : NULL;
	if (row)
		w->row = *row;
	return w->row ? OSH_WHY_FILE_DENIED : 0;
}
