/* SPDX-License-Identifier: Apache-2.0 */
#include "deny.h"

#include "osh/glob.h"

enum { FIRST_NOT, FIRST_ABSOLUTE, FIRST_RELATIVE };

static enum osh_seg_kind kind_of(const char *s)
{
	if (!strcmp(s, "**"))
		return OSH_SEG_DEEP;
	if (!strcmp(s, "*"))
		return OSH_SEG_ANY;
	if (*s == '*' && !strpbrk(s + 1, "*?") && strlen(s + 1) < OSH_SEG_SHORT)
		return OSH_SEG_SUFFIX;
	return strpbrk(s, "*?") ? OSH_SEG_GLOB : OSH_SEG_LITERAL;
}

static __u64 hash_of(const char *s, size_t n)
{
	__u64 words[OSH_PATH_MAX / 8] = { 0 };

	memcpy(words, s, n);
	return osh_seg_hash(words, (__u32)n);
}

static int seg_add(struct deny_segs *x, const char *s, size_t n, uint32_t row, struct err *e)
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
	if (seg->kind == OSH_SEG_SUFFIX) {
		text++;
		seg->len--;
	}
	if (seg->kind == OSH_SEG_LITERAL || seg->kind == OSH_SEG_SUFFIX)
		seg->hash = hash_of(text, seg->len);
	x->t.n++;
	return 0;
}

/* "a/ ** /b" as segments. What a directory is denied for holds below it, so that a trailing "**" says nothing more. */
static int entry_add(struct deny_segs *x, const char *path, uint32_t row, struct err *e)
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

int deny_segs_of(struct deny_segs *x, const struct bundle *b, struct err *e)
{
	int r = 0;

	memset(x, 0, sizeof(*x));
	for (uint32_t i = 0; !r && i < b->n_fs; i++)
		if (b->fs[i].mode == OSH_FS_DENY)
			r = entry_add(x, bundle_str(b, b->fs[i].path), i, e);
	return r;
}

static void set_add(const struct deny_segs *x, struct deny_set *s, uint32_t n)
{
	s->live[n / 64] |= 1ull << (n % 64);
	if (x->t.seg[n].kind == OSH_SEG_DEEP)
		set_add(x, s, n + 1);
}

static void set_begin(const struct deny_segs *x, struct deny_set *s, uint8_t which)
{
	for (uint32_t n = 0; n < x->t.n; n++)
		if (x->first[n] == which)
			set_add(x, s, n);
}

bool deny_set_any(const struct deny_set *s)
{
	bool any = s->row != 0;

	for (int i = 0; i < OSH_DENY_WORDS; i++)
		any |= s->live[i] != 0;
	return any;
}

void deny_set_step(const struct deny_segs *x, struct deny_set *s, const char *name)
{
	struct deny_set next = { .row = s->row };

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
int deny_set_at(const struct deny_segs *x, const char *path, const char *workdir, struct deny_set *ret, struct err *e)
{
	struct deny_set s = { 0 };
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
		deny_set_step(x, &s, name);
	}
	if (!strcmp(path, workdir))
		set_begin(x, &s, FIRST_RELATIVE);
	*ret = s;
	return 0;
}
