/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What may come next below a directory, remembered by each task for its last few directories, so that the way up
 * and down again is gone once and not at each call. Only sets are kept, never an answer: the last name is always
 * looked at, and a denial always goes the whole way, so what is kept can be wrong in one way alone, by being old.
 * The tables are the same (`stamp`, new at each change of them, unlike those of any other sandbox), and either
 * nothing on the machine has moved since:
 *
 *  - no name in any tree. Each move takes the kernel's rename_lock for writing, whoever moves: its count
 *    is even and the same as before the way was gone. It has 32 bits: what is older than KNOWN_AGE is not used,
 *    and nobody moves 2^31 names in that time;
 *  - the inode is the same: no directory's memory has been given back since (`dirs_gone`);
 *
 * or the way up is the same, dentry by dentry (`way`): each where it was, with the name and the count of changes that
 * it had, up to the inode of the root, which is kept in memory. What is kept of that is a hash, of addresses and hashes that
 * nobody outside the kernel knows. Then it was moved nowhere, whatever moved elsewhere.
 * That takes a step for each directory, and the counts are what is looked at from there on. Where one of them cannot be
 * read, each call goes this way.
 *
 * The file system is not asked for names that are in memory (no d_revalidate on the way), so nothing but a move
 * changes them.
 */
#pragma once

#include "maps.bpf.h"

#define KNOWN_DIRS 16			/* a power of two */
#define KNOWN_FORMS 8
#define KNOWN_MANY (KNOWN_FORMS + 1)
#define KNOWN_UP 8			/* directories below the root; what is deeper is known while nothing moves */
#define KNOWN_AGE 4096			/* jiffies: 4 to 41 s */

/* Address of the kernel's rename_lock, 0 = unknown. Set by the loader. */
const volatile __u64 rename_lock_at __weak = 0;

/* Directories whose inodes were freed on this host, from a start that never comes again; 0 = nobody counts. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} dirs_gone __weak SEC(".maps");

struct known_since {
	__u64 gone, jiffies;
	__u32 moves;			/* odd = unknown, or one is under way */
};

/* What a last name must not be, or end in: a live segment that is a LITERAL or a SUFFIX. */
struct known_form {
	__u64 hash;
	__u16 len;
	__u8 kind;			/* enum osh_seg_kind */
};

struct known_dir {
	__u64 inode;
	__u64 stamp;
	__u64 root;			/* inode at the root, 0 = the way up is not known */
	struct known_since since;
	__u64 way;			/* known_step() of each directory on the way up, but for the root */
	__u32 ups;			/* how many they are */
	__u32 n;			/* forms; KNOWN_MANY = the live segments are no such list, and are asked */
	struct known_form form[KNOWN_FORMS];
	__u64 live[OSH_DENY_WORDS];
};

static __always_inline __u64 *dirs_gone_count(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&dirs_gone, &zero);
}

/* Whatever is read after this is as old as this, or younger. */
static __always_inline struct known_since known_now(void)
{
	__u64 *gone = rename_lock_at ? dirs_gone_count() : NULL;
	struct known_since now = { .moves = 1 };

	if (!gone)
		return now;
	now.gone = *(volatile __u64 *)gone;
	if (!now.gone)
		return now;
	now.jiffies = bpf_jiffies64();
	now.moves = BPF_CORE_READ((seqlock_t *)rename_lock_at, seqcount.seqcount.sequence);
	return now;
}

static __always_inline int known_holds(const struct known_since *then, const struct known_since *now)
{
	return !(now->moves & 1) && now->moves == then->moves && now->gone == then->gone &&
	       now->jiffies - then->jiffies < KNOWN_AGE;
}

static __always_inline __u64 known_step(__u64 way, __u64 dentry, __u64 name, __u32 seq)
{
	return osh_seg_mix(osh_seg_mix(osh_seg_mix(way, dentry), name), seq);
}

static __always_inline struct known_dir *known_at(struct known_dir *dirs, __u64 inode)
{
	__u64 n = inode * 0x9e3779b97f4a7c15ull >> 60;

	asm volatile("%0 &= 15" : "+r"(n));
	return &dirs[n];
}
