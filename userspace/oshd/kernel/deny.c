// SPDX-License-Identifier: Apache-2.0
/*
 * From `filesystem_policy.deny` to the tables of bpf/deny.bpf.h: the entries as one list of segments, and
 * for each tree the set of segments that may come below it. Runs in oshd; texts come from a checked
 * bundle and are only cut at their slashes, trees from osh-launch.
 */
#include "kbpf.h"

#include "osh/glob.h"
#include "own.h"

struct segs {
	struct osh_deny t;
	char text[OSH_DENY_SEGS][OSH_PATH_MAX];
	uint8_t first[OSH_DENY_SEGS];	/* FIRST_*: an entry begins here */
};
enum { FIRST_NOT, FIRST_ABSOLUTE, FIRST_RELATIVE };

struct set {
	__u64 live[OSH_DENY_WORDS];
	uint32_t row;			/* row + 1 of an entry that was met, 0 = none */
};

static enum osh_seg_kind kind_of(const char *s)
{
	if (!strcmp(s, "**"))
		return OSH_SEG_DEEP;
	if (!strcmp(s, "*"))
		return OSH_SEG_ANY;
	return strpbrk(s, "*?") ? OSH_SEG_GLOB : OSH_SEG_LITERAL;
}

static __u64 hash_of(const char *s, size_t n)
{
	__u64 words[OSH_PATH_MAX / 8] = { 0 };

	memcpy(words, s, n);
	return osh_seg_hash(words, (__u32)n);
}

static int seg_add(struct segs *x, const char *s, size_t n, uint32_t row, struct err *e)
{
	struct osh_seg *seg = &x->t.seg[x->t.n % OSH_DENY_SEGS];
	char *text = x->text[x->t.n % OSH_DENY_SEGS];

	if (x->t.n == OSH_DENY_SEGS)
		return fail(e, E2BIG, "filesystem_policy.deny: more than %d path segments in all", OSH_DENY_SEGS);
	if (n >= OSH_PATH_MAX)
		return fail(e, ENAMETOOLONG, "deny '%.100s': a segment is longer than a name can be", s);
	memcpy(text, s, n);
	text[n] = 0;
	*seg = (struct osh_seg){ .kind = kind_of(text), .row = row, .len = (__u16)n };
	if (seg->kind == OSH_SEG_LITERAL)
		seg->hash = hash_of(text, n);
	x->t.n++;
	return 0;
}

/* "a/ ** /b" as segments. What a directory is denied for holds below it, so that a trailing "**" says nothing more. */
static int entry_add(struct segs *x, const char *path, uint32_t row, struct err *e)
{
	uint32_t first = x->t.n;
	size_t n = strlen(path);
	bool deep = false;
	int r = 0;

	while (n > 3 && !memcmp(path + n - 3, "/**", 3))
		n -= 3;
	for (size_t at = *path == '/', len; !r && at < n; at += len + 1) {
		len = strcspn(path + at, "/");
		len = len < n - at ? len : n - at;
		if (len == 2 && !memcmp(path + at, "**", 2)) {
			if (deep)
				continue;
			deep = true;
		} else {
			deep = false;
		}
		r = seg_add(x, path + at, len, row, e);
	}
	if (r < 0)
		return r;
	if (x->t.n == first)
		return fail(e, EINVAL, "deny '%s' names everything: list for reading what is not to be written", path);
	if (deep)			/* "**" alone */
		x->t.seg[x->t.n - 1].kind = OSH_SEG_ANY;
	x->t.seg[x->t.n - 1].last = 1;
	x->first[first] = *path == '/' ? FIRST_ABSOLUTE : FIRST_RELATIVE;
	return 0;
}

static int segs_of(struct segs *x, const struct bundle *b, struct err *e)
{
	int r = 0;

	memset(x, 0, sizeof(*x));
	for (uint32_t i = 0; !r && i < b->n_fs; i++)
		if (b->fs[i].mode == OSH_FS_DENY)
			r = entry_add(x, bundle_str(b, b->fs[i].path), i, e);
	return r;
}

static void set_add(const struct segs *x, struct set *s, uint32_t n)
{
	s->live[n / 64] |= 1ull << (n % 64);
	if (x->t.seg[n].kind == OSH_SEG_DEEP)
		set_add(x, s, n + 1);
}

static void set_begin(const struct segs *x, struct set *s, uint8_t which)
{
	for (uint32_t n = 0; n < x->t.n; n++)
		if (x->first[n] == which)
			set_add(x, s, n);
}

/* As the kernel does it, name by name. */
static void set_step(const struct segs *x, struct set *s, const char *name)
{
	struct set next = { .row = s->row };

	for (uint32_t n = 0; n < x->t.n && !next.row; n++) {
		const struct osh_seg *seg = &x->t.seg[n];

		if (!(s->live[n / 64] >> (n % 64) & 1))
			continue;
		if (seg->kind == OSH_SEG_DEEP)
			set_add(x, &next, n);
		else if (glob_match(x->text[n], name) == GLOB_NO)
			continue;
		else if (seg->last)
			next.row = seg->row + 1;
		else
			set_add(x, &next, n + 1);
	}
	*s = next;
}

/* What may come below `path`: absolute entries from the top, relative ones from the working directory. */
static int set_at(const struct segs *x, const char *path, const char *workdir, struct set *ret, struct err *e)
{
	struct set s = { 0 };
	size_t n = strlen(workdir);

	set_begin(x, &s, FIRST_ABSOLUTE);
	for (size_t at = 1, len; path[at]; at += len + (path[at + len] == '/')) {
		char name[OSH_PATH_MAX];

		len = strcspn(path + at, "/");
		if (len >= sizeof(name))
			return fail(e, ENAMETOOLONG, "'%.100s': a name is too long", path);
		if (at == n + 1 && !strncmp(path, workdir, n))
			set_begin(x, &s, FIRST_RELATIVE);
		memcpy(name, path + at, len);
		name[len] = 0;
		set_step(x, &s, name);
	}
	if (!strcmp(path, workdir))
		set_begin(x, &s, FIRST_RELATIVE);
	*ret = s;
	return 0;
}

static int fill(struct kbpf *k, const struct kbpf_sandbox *s, const struct segs *x, struct err *e)
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

int kbpf_deny_root(struct kbpf *k, const struct kbpf_sandbox *s, const struct bundle *b, const char *workdir,
		   const char *path, int fd, struct err *e)
{
	_free_ struct segs *x = malloc(sizeof(*x));
	struct osh_deny_inode_key key = { .id = s->id };
	struct osh_deny_root root = { 0 }, was;
	struct set set = { 0 };
	int r;

	if (!x)
		return fail(e, ENOMEM, "filesystem_policy.deny: out of memory");
	r = segs_of(x, b, e);
	if (!r && !kbpf_deny_has(k, s))
		r = fill(k, s, x, e);
	if (!r)
		r = set_at(x, path, workdir, &set, e);
	if (!r)
		r = kbpf_inode_of(k, fd, path, &key.inode, e);
	if (r < 0)
		return r;
	root.all = set.row;
	memcpy(root.live, set.live, sizeof(root.live));
	root_name(&root, path);
	if (!bpf_map_lookup_elem(k->map[KMAP_DENY_ROOTS], &key, &was)) {	/* one tree under two names */
		root.all = root.all ? root.all : was.all;
		for (int i = 0; i < OSH_DENY_WORDS; i++)
			root.live[i] |= was.live[i];
	}
	return kbpf_put(k, s, KMAP_DENY_ROOTS, &key, &root, 1, e);
}

int kbpf_deny_file(struct kbpf *k, const struct kbpf_sandbox *s, uint32_t row, const char *path, int fd,
		   struct err *e)
{
	struct osh_deny_inode_key key = { .id = s->id };
	int r = kbpf_inode_of(k, fd, path, &key.inode, e);

	row++;
	return r ? r : kbpf_put(k, s, KMAP_DENY_INODES, &key, &row, 1, e);
}
