/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The quick way: by what a task remembers of the directory (known.bpf.h), the last name alone is looked at. It begins
 * with the task's own memory, and asks neither who the task is nor for the tables: it was in a sandbox with entries
 * when it was asked before, no task ever leaves its sandbox, and the sandbox itself says that its tables are the same.
 */
#pragma once

struct form_scan {
	struct known_dir *dir;
	struct osh_deny *t;
	__u64 left;
	__u32 word;
};

static long form_step(__u32 i, struct form_scan *s)
{
	__u32 n = seg_next(&s->left, &s->word, s->dir->live), at = s->dir->n;
	struct osh_seg *seg;

	if (n >= OSH_DENY_SEGS)
		return 1;
	seg = &s->t->seg[n];
	if (seg->kind == OSH_SEG_DEEP)
		return 0;		/* it is no name's; what follows it is live too */
	if (at >= KNOWN_FORMS || (seg->kind != OSH_SEG_LITERAL && seg->kind != OSH_SEG_SUFFIX)) {
		s->dir->n = KNOWN_MANY;
		return 1;
	}
	asm volatile("%0 &= 7" : "+r"(at));
	s->dir->form[at].hash = seg->hash;
	s->dir->form[at].len = seg->len;
	s->dir->form[at].kind = seg->kind;
	s->dir->n++;
	return 0;
}

/* The directories that the short way went through, but for the root. */
static __always_inline void known_keep_way(struct known_dir *dir, const struct deny_walk *w)
{
	dir->ups = w->n - 1;
	dir->root = dir->ups <= KNOWN_UP ? w->root : 0;
	dir->way = 0;
	for (__u32 i = 0; i < KNOWN_UP; i++) {
		if (i >= dir->ups)
			break;
		dir->way = known_step(dir->way, w->at[i + 1], w->hashed[i + 1], w->seq[i + 1]);
	}
}

/* The short way was gone, and nothing denies its end: what may come next below the last directory. */
__u32 known_keep(struct deny_walk *w, struct osh_deny *t, struct known_since *since)
{
	struct form_scan s = { .t = t };
	struct known_dir *dir;

	if (!w || !t || !since || !w->n || w->row || !w->dir)
		return 0;
	dir = known_at(w->known, w->dir);
	dir->inode = w->dir;
	dir->stamp = t->stamp;
	dir->since = *since;
	dir->n = 0;
	for (int k = 0; k < OSH_DENY_WORDS; k++)
		dir->live[k] = w->above[k];
	known_keep_way(dir, w);
	s.dir = dir;
	s.left = dir->live[0];
	bpf_loop(OSH_DENY_SEGS, form_step, &s, 0);
	return 1;
}

/* Is this name, which is w->name[0] and w->lens[0] long, of none of the forms? */
static __always_inline int known_passes(struct deny_walk *w, const struct known_dir *dir)
{
	__u32 len = w->lens[0];

	if (!dir->n)
		return 1;		/* whatever it is */
	asm volatile("%0 &= 255" : "+r"(len));
	if (name_read(w, w->names[0], len))
		return 0;
	for (__u32 i = 0; i < KNOWN_FORMS; i++) {
		const struct known_form *f = &dir->form[i];

		if (i >= dir->n)
			break;
		if (f->kind == OSH_SEG_LITERAL ? f->len == len && f->hash == osh_seg_hash(w->name, len) :
						 suffix_matches(w, len, f->len, f->hash))
			return 0;
	}
	return 1;
}

/*
 * The way up from a directory, as it was. Counts only grow while a dentry lives, and each is the one of then: so none
 * had changed when the first was looked at. Where one was freed and another has its place, that has the same name:
 * the kernel's hash of it, under the same parent, and the length.
 */
static __always_inline int known_way(struct deny_walk *w, const struct known_dir *dir, struct dentry *d)
{
	__u64 way = 0;

	if (!dir->root)
		return 0;
	for (__u32 i = 0; i < KNOWN_UP; i++) {
		if (i >= dir->ups)
			break;
		way = known_step(way, number_of(w, d), d->d_name.hash_len, d->d_seq.seqcount.sequence);
		barrier();
		d = d->d_parent;
	}
	return way == dir->way && number_of(w, d->d_inode) == dir->root;
}

/* What is known of the directory that this name is in, where it still holds. */
static __always_inline struct known_dir *known_dir_of(struct deny_walk *w, __u64 stamp, struct dentry *parent)
{
	__u64 inode = number_of(w, parent->d_inode);
	struct known_dir *dir = known_at(w->known, inode);
	struct known_since now;

	if (!inode || dir->inode != inode || dir->stamp != stamp)
		return NULL;
	now = known_now();
	if (known_holds(&dir->since, &now))
		return dir;
	if (!known_way(w, dir, parent))
		return NULL;
	dir->since = now;
	return dir;
}

/*
 * 1 = nothing denies this name, nor does a denied path lead through it. The name is in this directory from the
 * first look at its count to the second one, and what is known holds in between. Where there is more to ask about
 * the file itself, or to put on record, the whole way is gone.
 */
static __always_inline int quick_allows(struct deny_walk *w, struct dentry *d)
{
	__u32 seq = d->d_seq.seqcount.sequence, slot = w->slot;
	struct osh_sandbox *sb = bpf_map_lookup_elem(&sandboxes, &slot);
	struct known_dir *dir;
	struct dentry *parent;
	__u64 stamp, hashed, inode;

	if (!sb || !w->id || sb->id != w->id || sb->reserved_bits)
		return 0;
	stamp = *(volatile __u64 *)&sb->deny_stamp;
	barrier();
	parent = d->d_parent;
	w->names[0] = (__u64)d->d_name.name;
	hashed = d->d_name.hash_len;
	w->lens[0] = hashed >> 32;
	barrier();
	inode = number_of(w, d->d_inode);
	if (!stamp || parent == d || (inode && sb->deny_bits & osh_inode_bit(inode)))
		return 0;
	dir = known_dir_of(w, stamp, parent);
	if (!dir)
		return 0;
	if (dir->n <= KNOWN_FORMS) {
		if (!known_passes(w, dir))
			return 0;
	} else {
		struct osh_deny *t = deny_table(w);

		for (int k = 0; k < OSH_DENY_WORDS; k++)
			w->live[k] = dir->live[k];
		w->row = 0;
		if (!t || deny_name(w, t, 0) != LOOK_DONE || w->row || w->hit)
			return 0;
	}
	barrier();
	return !(seq & 1) && d->d_seq.seqcount.sequence == seq;
}
