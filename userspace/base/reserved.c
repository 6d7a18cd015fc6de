/* SPDX-License-Identifier: Apache-2.0 */
#include "reserved.h"

#include <string.h>

static bool below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return n == 1 || (!strncmp(path, dir, n) && (path[n] == '/' || !path[n]));
}

bool reserved_any(const struct bundle *b)
{
	bool any = false;

	for (uint32_t i = 0; i < b->n_fs; i++)
		any |= b->fs[i].group != 0;
	return any;
}

static void add_group(__u64 *groups, uint32_t group)
{
	groups[group / 64 % OSH_GROUP_WORDS] |= 1ull << (group % 64);
}

static bool is_at(const struct bundle *b, const struct osh_b_fs *f, const char *path, size_t len)
{
	const char *dir = bundle_str(b, f->path);

	return f->mode != OSH_FS_DENY && strlen(dir) == len && below(path, dir);
}

/* All entries of one path. Where one of them is for all, nothing is left of what is above; the others add to it. */
static void add_level(const struct bundle *b, const char *path, size_t len, struct osh_reserved *ret)
{
	for (uint32_t i = 0; i < b->n_fs; i++)
		if (is_at(b, &b->fs[i], path, len) && !b->fs[i].group)
			*ret = (struct osh_reserved){ 0 };
	for (uint32_t i = 0; i < b->n_fs; i++) {
		const struct osh_b_fs *f = &b->fs[i];
		__u32 all = f->mode == OSH_FS_RW ? OSH_RESERVED_WRITE : OSH_RESERVED_READ;

		if (!is_at(b, f, path, len))
			continue;
		ret->row = i + 1;
		if (!f->group) {
			ret->all = ret->all > all ? ret->all : all;
			continue;
		}
		add_group(ret->read, f->group);
		if (f->mode == OSH_FS_RW)
			add_group(ret->write, f->group);
	}
}

bool reserved_at(const struct bundle *b, const char *path, struct osh_reserved *ret)
{
	size_t done = 0, next;
	bool any = false;

	memset(ret, 0, sizeof(*ret));
	do {
		next = 0;
		for (uint32_t i = 0; i < b->n_fs; i++) {
			const char *dir = bundle_str(b, b->fs[i].path);
			size_t n = strlen(dir);

			if (b->fs[i].mode == OSH_FS_DENY || !below(path, dir))
				continue;
			any |= b->fs[i].group != 0;
			if (n > done && (!next || n < next))
				next = n;
		}
		if (next)
			add_level(b, path, next, ret);
		done = next;
	} while (next);
	return any;
}
