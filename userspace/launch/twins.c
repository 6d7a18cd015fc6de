/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only names are read, and only where an entry may still apply; a file is looked at when its name is denied.
 * Whoever owns the tree may change it meanwhile: no link is followed, no other file system entered.
 */
#include "twins.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"
#include "resolve.h"
#include "trees.h"

#define INSIDE (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV)

/* From here on no file with several names is written: what was not looked at may be denied. */
static int give_up(struct twins *x, struct osh_msg_tree *t, int fd, struct err *e)
{
	x->lost = true;
	t->kind = OSH_TREE_TWINS;
	return trees_report(x->channel, t, t->path, fd, e);
}

static int look(struct twins *x, struct osh_msg_tree *t, int dir, const char *name, uint32_t row, struct err *e)
{
	_close_ int fd = open_at(dir, name, O_PATH | O_NOFOLLOW, INSIDE);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink < 2)
		return 0;		/* what is gone has no name */
	if (++x->found > OSH_DENY_TWINS)
		return give_up(x, t, fd, e);
	t->kind = OSH_TREE_FILE;
	t->row = row;
	return trees_report(x->channel, t, t->path, fd, e);
}

static int walk(struct twins *x, struct osh_msg_tree *t, int dir, const struct deny_set *set, int depth, struct err *e);

static int descend(struct twins *x, struct osh_msg_tree *t, int dir, const char *name, const struct deny_set *set, int depth,
		   struct err *e)
{
	_close_ int fd = open_at(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK, INSIDE);

	if (fd >= 0)			/* deeper names are never written: see bpf/deny.bpf.h */
		return depth < OSH_DENY_DEPTH ? walk(x, t, fd, set, depth + 1, e) : 0;
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -ELOOP || fd == -EXDEV)
		return 0;		/* gone, or a mount, which is a tree of its own where it can be written */
	return give_up(x, t, dir, e);
}

static bool is_dir(int dir, const struct dirent *d)
{
	struct stat st;

	if (d->d_type != DT_UNKNOWN)
		return d->d_type == DT_DIR;
	return !fstatat(dir, d->d_name, &st, AT_SYMLINK_NOFOLLOW) && S_ISDIR(st.st_mode);
}

static int walk(struct twins *x, struct osh_msg_tree *t, int dir, const struct deny_set *set, int depth, struct err *e)
{
	int own = fcntl(dir, F_DUPFD_CLOEXEC, 0), r = 0;
	DIR *d = own < 0 ? NULL : fdopendir(own);

	if (!d) {
		own_close(&own);
		return give_up(x, t, dir, e);
	}
	for (struct dirent *n; !r && !x->lost && (errno = 0, n = readdir(d));) {
		struct deny_set at = *set;

		if (!strcmp(n->d_name, ".") || !strcmp(n->d_name, ".."))
			continue;
		deny_set_step(&x->segs, &at, n->d_name);
		if (++x->names > OSH_DENY_NAMES)
			r = give_up(x, t, dir, e);
		else if (!deny_set_any(&at))
			continue;
		else if (is_dir(dir, n))
			r = descend(x, t, dir, n->d_name, &at, depth, e);
		else if (at.row)
			r = look(x, t, dir, n->d_name, at.row - 1, e);
	}
	if (!r && !x->lost && errno)
		r = give_up(x, t, dir, e);
	closedir(d);
	return r;
}

int twins_below(struct twins *x, struct osh_msg_tree *t, const char *path, struct err *e)
{
	struct deny_set set;
	_close_ int at = -1, dir = -1;
	struct stat st;
	int r = deny_set_at(&x->segs, path, t->workdir, &set, e);

	if (r < 0 || x->lost || !deny_set_any(&set))
		return r;
	at = open_at(AT_FDCWD, path, O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS);
	if (at < 0)
		return fail(e, -at, "filesystem_policy.deny: '%s': %s", path, strerror(-at));
	if (!fstat(at, &st) && !S_ISDIR(st.st_mode))
		return 0;		/* as the root of a tree it is known by its inode */
	dir = open_at(at, ".", O_RDONLY | O_DIRECTORY, INSIDE);
	return dir < 0 ? give_up(x, t, at, e) : walk(x, t, dir, &set, 0, e);
}
