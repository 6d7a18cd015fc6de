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
 * them through loops in loops. They take memory and numbers alone, and reading what a number points to takes a
 * call. So a short way is gone in the program itself, from dentry to dentry, and any other in a function.
 */
#pragma once

#include "decide.bpf.h"
#include "known.bpf.h"

#include "osh/glob.h"

#define SHORT_WAY 16			/* names; what is deeper is looked at in the slow way */
#define TRIES 4				/* that meet a rename under way */

struct deny_walk {
	__u64 at[OSH_DENY_DEPTH];	/* struct dentry *, from the leaf upwards */
	__u64 names[OSH_DENY_DEPTH];	/* of each: text, length, and when they were read */
	__u32 lens[OSH_DENY_DEPTH], seq[OSH_DENY_DEPTH];
	__u64 hashed[SHORT_WAY];	/* of each, in the short way: the kernel's hash of the name, and its length */
	__u64 live[OSH_DENY_WORDS], next[OSH_DENY_WORDS];
	__u64 was[OSH_DENY_WORDS];	/* the set of a first path, to compare with a second one's */
	__u64 above[OSH_DENY_WORDS];	/* that of the directory that the last name is in */
	struct known_dir known[KNOWN_DIRS];
	__u64 name[(OSH_PATH_MAX + OSH_SEG_SHORT) / 8];	/* zero after the name, at least for OSH_SEG_SHORT */
	struct glob glob;
	__u64 number;
	__u64 root;			/* inode at the root, 0 = none */
	__u64 dir;			/* inode of the last name's directory, in the short way */
	__u32 id, slot;			/* of the sandbox that the task is in */
	__u32 n;			/* dentries below the root */
	__u32 row;			/* row + 1 of the entry that denies, 0 = none */
	__u32 hit;			/* HIT_* */
	__u32 near;			/* row + 1 of an entry that leads through the last name */
	__u32 pos;			/* of the text for the log, filled from the end */
	char text[2 * OSH_PATH_MAX];
};
/* Linux 7 allocates storage in pieces of at most 8 KiB, its own head included. */
_Static_assert(sizeof(struct deny_walk) <= 8000, "deny_walk fits in task storage");

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct deny_walk);
} deny_walks SEC(".maps");

MAP_HASH(denies, __u32, struct osh_deny, OSH_SLOTS, BPF_F_NO_PREALLOC);
MAP_HASH(deny_globs, struct osh_deny_glob_key, struct osh_deny_glob, 1 << 16, BPF_F_NO_PREALLOC);
MAP_HASH(deny_roots, struct osh_deny_inode_key, struct osh_deny_root, 1 << 16, BPF_F_NO_PREALLOC);
MAP_HASH(deny_inodes, struct osh_deny_inode_key, __u32, OSH_DENY_INODES, BPF_F_NO_PREALLOC);

/* What the last segment of a path was to the entries. */
#define HIT_LITERAL 1u			/* a denied path leads through exactly this name */
#define HIT_ANY 2u			/* ..., or through every name of such a form */

enum look_answer { LOOK_DONE, LOOK_AGAIN, LOOK_BAD };

static __always_inline struct deny_walk *walk_of_task(__u64 flags)
{
	return bpf_task_storage_get(&deny_walks, bpf_get_current_task_btf(), NULL, flags);
}

/* verifier: what is read back from memory is no pointer any more, and may be reckoned with. */
static __always_inline __u64 number_of(struct deny_walk *w, const void *p)
{
	w->number = (__u64)p;
	barrier();
	return *(volatile __u64 *)&w->number;
}

static __always_inline struct osh_deny *deny_table(const struct deny_walk *w)
{
	__u32 id = w->id;

	return bpf_map_lookup_elem(&denies, &id);
}

static __always_inline void walk_clear(struct deny_walk *w)
{
	w->root = 0;
	w->n = w->row = w->hit = w->near = 0;
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		w->live[k] = w->above[k] = 0;
}

/* Is a tree entered here? Then its set is where the way down begins. */
static __always_inline int at_root(struct deny_walk *w, const struct osh_deny *t, __u64 inode)
{
	struct osh_deny_inode_key key = { .inode = inode, .id = w->id };
	struct osh_deny_root *root;

	if (!(t->roots & osh_inode_bit(inode)))
		return 0;
	root = bpf_map_lookup_elem(&deny_roots, &key);
	if (!root)
		return 0;
	w->root = inode;
	w->row = root->all;
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		w->live[k] = root->live[k];
	return 1;
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
__u32 deny_glob(struct deny_walk *w, __u32 seg)
{
	struct glob_try t = { .w = w, .answer = GLOB_MORE };
	struct osh_deny_glob_key key = { .n = seg };

	if (!w)
		return 1;
	key.id = w->id;
	t.g = bpf_map_lookup_elem(&deny_globs, &key);
	if (!t.g)
		return 1;
	__builtin_memset(&w->glob, 0, sizeof(w->glob));
	bpf_loop(GLOB_STEPS, glob_try_step, &t, 0);
	return t.answer != GLOB_NO;
}

struct seg_scan {
	struct deny_walk *w;
	struct osh_deny *t;
	__u64 hash;
	__u64 left;			/* of the live segments in this word: still to be looked at */
	__u32 len;
	__u32 word;
};

/* The last bytes of the name (w->name, of `len`), and zero after them: its hash is that of the suffix. */
static __always_inline int suffix_matches(const struct deny_walk *w, __u32 len, __u32 suffix_len, __u64 hash)
{
	__u32 at = len - suffix_len;
	__u64 words[OSH_SEG_SHORT / 8];

	if (len < suffix_len)
		return 0;
	asm volatile("%0 &= 255" : "+r"(at));
	for (int i = 0; i < OSH_SEG_SHORT / 8; i++)	/* a word at a time: memcpy() would take bytes */
		words[i] = *(const __u64 *)((const char *)w->name + at + 8 * i);
	return osh_seg_hash_short(words, suffix_len) == hash;
}

static __always_inline int seg_matches(const struct seg_scan *s, const struct osh_seg *seg, __u32 n)
{
	if (seg->kind == OSH_SEG_LITERAL)
		return seg->hash == s->hash && seg->len == s->len;
	if (seg->kind == OSH_SEG_SUFFIX)
		return suffix_matches(s->w, s->len, seg->len, seg->hash);
	return seg->kind == OSH_SEG_ANY || deny_glob(s->w, n);
}

/* Where the only bit of a word is. */
static const __u8 bit_at[64] = {
	0, 1, 2, 53, 3, 7, 54, 27, 4, 38, 41, 8, 34, 55, 48, 28, 62, 5, 39, 46, 44, 42, 22, 9, 24, 35, 59, 56, 49, 18, 29, 11,
	63, 52, 6, 26, 37, 40, 33, 47, 61, 45, 43, 21, 23, 58, 17, 10, 51, 25, 36, 32, 60, 20, 57, 16, 50, 31, 19, 15, 30, 14, 13, 12,
};

static __always_inline __u32 bit_number(__u64 bit)
{
	__u64 at = bit * 0x022fdd63cc95386dull >> 58;

	asm volatile("%0 &= 63" : "+r"(at));
	return bit_at[at];
}

/* The number of the next live segment, or OSH_DENY_SEGS where none is left. */
static __always_inline __u32 seg_next(__u64 *left, __u32 *word, const __u64 *live)
{
	__u64 bit;
	__u32 n;

	for (__u32 k = 1; k < OSH_DENY_WORDS; k++)
		if (!*left && *word < k) {
			*word = k;
			*left = live[k];
		}
	if (!*left)
		return OSH_DENY_SEGS;
	bit = *left & -*left;
	*left ^= bit;
	n = *word * 64 + bit_number(bit);
	asm volatile("%0 &= 255" : "+r"(n));
	return n;
}

static long seg_step(__u32 i, struct seg_scan *s)
{
	struct deny_walk *w = s->w;
	struct osh_seg *seg;
	__u32 n = seg_next(&s->left, &s->word, w->live);

	if (n >= OSH_DENY_SEGS)
		return 1;
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
static __always_inline int name_read(struct deny_walk *w, __u64 name, __u32 len)
{
	for (int i = 0; i < 2 * OSH_SEG_SHORT / 8; i++)
		w->name[i] = 0;
	if (len >= OSH_SEG_SHORT)
		for (int i = 2 * OSH_SEG_SHORT / 8; i < (OSH_PATH_MAX + OSH_SEG_SHORT) / 8; i++)
			w->name[i] = 0;
	return bpf_probe_read_kernel(w->name, len, (void *)name);
}

/* One name further down: the i-th from the leaf. enum look_answer. */
__u32 deny_name(struct deny_walk *w, struct osh_deny *t, __u32 i)
{
	struct seg_scan s = { .w = w, .t = t };
	__u32 len;

	if (!w || !t)
		return LOOK_BAD;
	asm volatile("%0 &= 127" : "+r"(i));
	len = w->lens[i];
	asm volatile("%0 &= 255" : "+r"(len));
	if (name_read(w, w->names[i], len))
		return LOOK_AGAIN;
	s.len = len;
	s.hash = osh_seg_hash(w->name, len);
	s.left = w->live[0];
	w->hit = w->near = 0;
	if (!i)
		for (int k = 0; k < OSH_DENY_WORDS; k++)
			w->above[k] = w->live[k];
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		w->next[k] = 0;
	bpf_loop(OSH_DENY_SEGS, seg_step, &s, 0);
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		w->live[k] = w->next[k];
	return LOOK_DONE;
}

struct down {
	struct deny_walk *w;
	struct osh_deny *t;
	__u32 answer;
};

static long down_step(__u32 i, struct down *s)
{
	s->answer = deny_name(s->w, s->t, s->w->n - 1 - i);
	return s->answer != LOOK_DONE || s->w->row || !live_any(s->w->live);
}

/* From the root to the leaf by what was remembered. enum look_answer, and then w->row, w->hit and w->live. */
__u32 deny_down(struct deny_walk *w, struct osh_deny *t)
{
	struct down down = { .w = w, .t = t };

	if (!w || !t)
		return LOOK_BAD;
	if (w->root && !w->row && live_any(w->live))
		bpf_loop(w->n, down_step, &down, 0);
	return down.answer;
}

/* ---- the slow way: any depth, and again where a name changes meanwhile ---- */

struct up {
	struct deny_walk *w;
	struct osh_deny *t;
	__u64 d;
	__u32 found;			/* a root, or the top of a file system that no entry is about */
	__u32 same;
};

/* Towards the root, remembering the way. */
static long up_step(__u32 i, struct up *u)
{
	struct dentry *d = (void *)u->d, *parent;
	__u32 seq = BPF_CORE_READ(d, d_seq.seqcount.sequence);

	u->w->n = i;
	u->found = 1;
	if (at_root(u->w, u->t, (__u64)BPF_CORE_READ(d, d_inode)))
		return 1;
	parent = BPF_CORE_READ(d, d_parent);
	if (parent == d)
		return 1;
	u->found = 0;
	asm volatile("%0 &= 127" : "+r"(i));
	u->w->at[i] = u->d;
	u->w->seq[i] = seq;
	u->w->names[i] = (__u64)BPF_CORE_READ(d, d_name.name);
	u->w->lens[i] = BPF_CORE_READ(d, d_name.len);
	u->d = (__u64)parent;
	return 0;
}

static long same_step(__u32 i, struct up *u)
{
	struct dentry *d;

	if (i >= u->w->n)
		return 1;
	asm volatile("%0 &= 127" : "+r"(i));
	d = (void *)u->w->at[i];
	u->same = !(u->w->seq[i] & 1) && BPF_CORE_READ(d, d_seq.seqcount.sequence) == u->w->seq[i];
	return !u->same;
}

/* One try, whole. enum look_answer. */
__u32 deny_try(struct deny_walk *w, struct osh_deny *t, __u64 dentry)
{
	struct up u = { .w = w, .t = t, .d = dentry, .same = 1 };
	__u32 r;

	if (!w || !t)
		return LOOK_BAD;
	walk_clear(w);
	bpf_loop(OSH_DENY_DEPTH, up_step, &u, 0);
	if (!u.found)
		return LOOK_BAD;	/* too deep */
	r = deny_down(w, t);
	if (r == LOOK_DONE)
		bpf_loop(OSH_DENY_DEPTH, same_step, &u, 0);
	return u.same ? r : LOOK_AGAIN;
}

__u32 deny_slow(struct deny_walk *w, struct osh_deny *t, __u64 dentry)
{
	__u32 r = LOOK_AGAIN;

	for (int i = 0; i < TRIES && r == LOOK_AGAIN; i++)
		r = deny_try(w, t, dentry);
	return r;
}

/* ---- the short way ---- */

/* 0 = too deep for it. `ret_asked`: the file system is asked about some directory's name. */
static __always_inline int short_up(struct deny_walk *w, struct osh_deny *t, struct dentry *d, int *ret_asked)
{
	walk_clear(w);
	*ret_asked = 0;
	for (__u64 i = 0; i < SHORT_WAY; i++) {
		const struct dentry_operations *op = d->d_op;
		struct dentry *parent;
		__u64 inode;

		w->n = i;
		w->seq[i] = d->d_seq.seqcount.sequence;
		barrier();
		parent = d->d_parent;
		inode = number_of(w, d->d_inode);
		if (i == 1)
			w->dir = inode;
		if (i && op && op->d_revalidate)
			*ret_asked = 1;
		if (at_root(w, t, inode) || parent == d)
			return 1;
		w->names[i] = (__u64)d->d_name.name;
		w->hashed[i] = d->d_name.hash_len;
		w->lens[i] = w->hashed[i] >> 32;
		w->at[i] = (__u64)d;
		d = parent;
	}
	return 0;
}

static __always_inline int short_same(const struct deny_walk *w, struct dentry *d)
{
	barrier();
	for (__u64 i = 0; i < SHORT_WAY; i++) {
		if (i >= w->n)
			return 1;
		if (w->seq[i] & 1 || d->d_seq.seqcount.sequence != w->seq[i])
			return 0;
		d = d->d_parent;
	}
	return 1;
}

#include "quick.bpf.h"

/* What the entries say of a dentry: 0, or a reason to deny at once. Where it moves w->live is wanted too. */
static __always_inline __u32 deny_look(struct deny_walk *w, struct osh_deny *t, struct dentry *d)
{
	struct osh_deny_inode_key key = { .inode = number_of(w, d->d_inode), .id = w->id };
	struct known_since now = known_now();
	__u32 r = LOOK_AGAIN, *row = NULL;
	int asked;

	if (short_up(w, t, d, &asked)) {
		r = deny_down(w, t);
		if (r == LOOK_DONE && !short_same(w, d))
			r = LOOK_AGAIN;
		if (r == LOOK_DONE && !asked)
			known_keep(w, t, &now);
	}
	if (r == LOOK_AGAIN)
		r = deny_slow(w, t, number_of(w, d));
	if (r != LOOK_DONE)
		return OSH_WHY_FILE_UNRESOLVED;
	if (key.inode && t->files & osh_inode_bit(key.inode))
		row = bpf_map_lookup_elem(&deny_inodes, &key);
	if (row)
		w->row = *row;
	return w->row ? OSH_WHY_FILE_DENIED : 0;
}
