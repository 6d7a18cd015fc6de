// SPDX-License-Identifier: Apache-2.0
/*
 * From `filesystem_policy.deny` to the tables of bpf/deny.bpf.h. Runs in oshd; texts come from a checked
 * bundle, trees from osh-launch.
 */
#include "kbpf.h"

#include <time.h>

#include "deny.h"
#include "own.h"

/* Never the same twice on a machine that runs: what a task remembers of other tables is not of these. */
static __u64 stamp_new(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (__u64)now.tv_sec * 1000000000u + (__u64)now.tv_nsec;
}

/* The sandbox itself says which tables are in force, so that nobody looks for them who knows the answer. */
static void say_stamp(struct kbpf *k, const struct kbpf_sandbox *s, const struct osh_deny *t)
{
	struct osh_sandbox *sb = &k->sandboxes[s->slot % OSH_SLOTS];

	if (sb->id != s->id)
		return;			/* not yet: kbpf_flip() says it */
	__atomic_store_n(&sb->deny_stamp, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&sb->deny_bits, t->roots | t->files, __ATOMIC_RELEASE);
	if (!t->linked)			/* then a file's own number of names counts as well */
		__atomic_store_n(&sb->deny_stamp, t->stamp, __ATOMIC_RELEASE);
}

void kbpf_deny_stamp(struct kbpf *k, const struct kbpf_sandbox *s)
{
	_free_ struct osh_deny *t = malloc(sizeof(*t));

	if (t && k->lsm && !bpf_map_lookup_elem(k->map[KMAP_DENIES], &s->id, t))
		say_stamp(k, s, t);
}

static int fill(struct kbpf *k, const struct kbpf_sandbox *s, struct deny_segs *x, struct err *e)
{
	int r = 0;

	for (uint32_t n = 0; !r && n < x->t.n; n++) {
		struct osh_deny_glob_key key = { .id = s->id, .n = n };
		struct osh_deny_glob g = { { 0 } };

		if (x->t.seg[n].kind != OSH_SEG_GLOB)
			continue;
		memcpy(g.pattern, x->text[n], sizeof(g.pattern));
		r = kbpf_put(k, s, KMAP_DENY_GLOBS, &key, &g, 1, e);
	}
	x->t.stamp = stamp_new();
	return r ? r : kbpf_put(k, s, KMAP_DENIES, &s->id, &x->t, 1, e);
}

bool kbpf_deny_has(const struct kbpf *k, const struct kbpf_sandbox *s)
{
	struct osh_deny t;

	return !bpf_map_lookup_elem(k->map[KMAP_DENIES], &s->id, &t);
}

/* The end of a long path says more than its beginning. */
static void root_name(struct osh_deny_root *root, const char *path)
{
	size_t n = strlen(path);

	if (n >= sizeof(root->path)) {
		path += n - sizeof(root->path) + 1;
		n = sizeof(root->path) - 1;
	}
	root->len = (__u32)n;
	memcpy(root->path, path, n);
}

/* The table of a sandbox with something more in it; after the others, which it leads to. */
static int change(struct kbpf *k, const struct kbpf_sandbox *s, const struct osh_deny *more, struct err *e)
{
	_free_ struct osh_deny *t = malloc(sizeof(*t));
	int r;

	if (!t || bpf_map_lookup_elem(k->map[KMAP_DENIES], &s->id, t))
		return fail(e, ENOENT, "filesystem_policy.deny: no tree was entered");
	t->linked |= more->linked;
	t->roots |= more->roots;
	t->files |= more->files;
	t->stamp = stamp_new();
	r = kbpf_put(k, s, KMAP_DENIES, &s->id, t, 1, e);
	if (!r)
		say_stamp(k, s, t);
	return r;
}

int kbpf_deny_root(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, const char *workdir,
		   const char *path, int fd, struct err *e)
{
	_free_ struct deny_segs *x = malloc(sizeof(*x));
	struct osh_deny_inode_key key = { .id = s->id };
	struct osh_deny_root root = { 0 }, was;
	struct osh_fd_inode f = { 0 };
	struct deny_set set = { 0 };
	int r;

	if (!x)
		return fail(e, ENOMEM, "filesystem_policy.deny: out of memory");
	r = deny_segs_of(x, b, e);
	if (!r && !kbpf_deny_has(k, s))
		r = fill(k, s, x, e);
	if (!r)
		r = deny_set_at(x, path, workdir, &set, e);
	if (!r)
		r = kbpf_inode_of(k, fd, path, &f, e);
	if (!r && f.flags & OSH_FD_FOLDS && deny_set_any(&set))
		r = fail(e, EOPNOTSUPP, "filesystem_policy.deny: '%.100s' lies on a file system that takes names of different case or "
			 "form for one, and entries are compared byte by byte: leave out the entries or work on another file system", path);
	if (r < 0)
		return r;
	key.inode = f.inode;
	root.all = set.row;
	memcpy(root.live, set.live, sizeof(root.live));
	root_name(&root, path);
	if (!bpf_map_lookup_elem(k->map[KMAP_DENY_ROOTS], &key, &was)) {	/* one tree under two names */
		root.all = root.all ? root.all : was.all;
		for (int i = 0; i < OSH_DENY_WORDS; i++)
			root.live[i] |= was.live[i];
	}
	r = kbpf_put(k, s, KMAP_DENY_ROOTS, &key, &root, 1, e);
	return r ? r : change(k, s, &(struct osh_deny){ .roots = osh_inode_bit(key.inode) }, e);
}

int kbpf_deny_file(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t row, const char *path, int fd,
		   struct err *e)
{
	struct osh_deny_inode_key key = { .id = s->id };
	struct osh_fd_inode f;
	int r = kbpf_inode_of(k, fd, path, &f, e);

	key.inode = f.inode;
	row++;
	if (!r)
		r = kbpf_put(k, s, KMAP_DENY_INODES, &key, &row, 1, e);
	return r ? r : change(k, s, &(struct osh_deny){ .files = osh_inode_bit(f.inode) }, e);
}

int kbpf_deny_twins(struct kbpf *k, const struct kbpf_sandbox *s, struct err *e)
{
	return change(k, s, &(struct osh_deny){ .linked = 1 }, e);
}
