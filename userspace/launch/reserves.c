/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names are what the kernel says of the finished view, with links followed as a program would: where two of them meet
 * there, they meet here. A path that is not there is nobody's.
 */
#include "reserves.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "osh/abi.h"
#include "own.h"
#include "resolve.h"
#include "trees.h"
#include "windows.h"

struct row {
	char *name;
	int fd;
	uint32_t row;			/* of the bundle's FS, or OSH_ROW_WORKDIR */
	bool reserved, write;
};

struct rows {
	int channel;
	struct osh_msg_tree t;
	struct row v[OSH_FS_PATHS + 1];
	uint32_t n, sent;
};

static int row_open(struct rows *x, const char *path, struct row one, struct err *e)
{
	_close_ int fd = open_at(AT_FDCWD, path, O_PATH | O_CLOEXEC, RESOLVE_NO_MAGICLINKS);
	char link[64], name[PATH_MAX];
	ssize_t n;

	if (fd < 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	if (n <= 0)
		return fail(e, n ? errno : EPROTO, "'%s': its name: %s", path, strerror(n ? errno : EPROTO));
	name[n] = 0;
	one.name = strdup(name);
	if (!one.name)
		return fail(e, ENOMEM, "filesystem_policy: out of memory");
	one.fd = fd;
	fd = -1;
	x->v[x->n++] = one;
	return 0;
}

static int rows_open(struct rows *x, const struct osh_msg_launch *m, const struct paths *p, const struct bundle *b, struct err *e)
{
	int r = 0;

	for (uint32_t i = 0; !r && i < b->n_fs; i++)
		if (b->fs[i].mode != OSH_FS_DENY)
			r = row_open(x, bundle_str(b, b->fs[i].path),
				     (struct row){ .row = i, .reserved = b->fs[i].group, .write = b->fs[i].mode == OSH_FS_RW }, e);
	if (!r && b->meta->include_workdir)
		r = row_open(x, paths_workdir(p, m), (struct row){ .row = OSH_ROW_WORKDIR, .write = true }, e);
	return r;
}

static const char *own_tree(const char *name)
{
	static const char *const trees[] = { "/tmp", "/dev", "/proc", "/sandbox" };

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		if (paths_within(name, trees[i]))
			return "it lies in a tree of the sandbox's own";
	return paths_taken(name);
}

/* Nobody inside may move what is known by its inode, or what that lies in. */
static int check(const struct rows *x, const struct row *f, struct err *e)
{
	const char *why = f->reserved ? own_tree(f->name) : NULL;

	for (uint32_t i = 0; i < x->n; i++) {
		const struct row *up = &x->v[i];

		if (up->write && (f->reserved || up->reserved) && strcmp(f->name, up->name) && paths_within(f->name, up->name))
			return fail(e, EPERM, "'%s' lies in '%s', which can be written, and one of them is for some programs "
				    "only: list the one outside of the other", f->name, up->name);
	}
	if (why)
		return fail(e, EPERM, "'%s' is for some programs only, which it cannot be: %s", f->name, why);
	return 0;
}

/* The closest listed path that holds this one, where a path for some programs does so too. */
static const struct row *row_of(const struct rows *x, const char *name)
{
	const struct row *best = NULL;
	bool reserved = false;

	for (uint32_t i = 0; i < x->n; i++) {
		if (!paths_within(name, x->v[i].name))
			continue;
		reserved |= x->v[i].reserved;
		if (!best || strlen(x->v[i].name) > strlen(best->name))
			best = &x->v[i];
	}
	return reserved ? best : NULL;
}

static int send_row(struct rows *x, const struct row *f, const char *name, int fd, struct err *e)
{
	if (++x->sent > OSH_RESERVED_EACH)
		return fail(e, E2BIG, "filesystem_policy: more than %d paths and mounts that are for some programs only, or lie "
			    "below one", OSH_RESERVED_EACH);
	x->t.kind = OSH_TREE_RESERVED;
	x->t.row = f->row;
	return trees_report(x->channel, &x->t, name, fd, e);
}

/* A walk towards the root ends at that of the file system, so each mount has an entry of its own. */
static int send_mount(struct rows *x, const char *path, struct err *e)
{
	const struct row *f = row_of(x, path);
	_close_ int fd = -1;

	if (!f || !strcmp(f->name, path))
		return 0;		/* it was sent by itself */
	fd = open_at(AT_FDCWD, path, O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return fail(e, -fd, "filesystem_policy: mount '%s': %s", path, strerror(-fd));
	return send_row(x, f, path, fd, e);
}

static int send_mounts(struct rows *x, struct err *e)
{
	_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_free_ char *line = NULL;
	bool read_only;
	size_t room = 0;
	char *path;
	int r = 0;

	if (!f)
		return fail(e, errno, "/proc/self/mountinfo: %s", strerror(errno));
	while (!r && getline(&line, &room, f) > 0) {
		r = mountinfo_line(line, &path, &read_only, e);
		if (!r)
			r = send_mount(x, path, e);
	}
	return r;
}

int reserves_send(int channel, const struct osh_msg_launch *m, const struct paths *p, const struct bundle *b, struct err *e)
{
	struct rows *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return fail(e, ENOMEM, "filesystem_policy: out of memory");
	x->channel = channel;
	x->t.id = m->id;
	r = rows_open(x, m, p, b, e);
	for (uint32_t i = 0; !r && i < x->n; i++)
		r = check(x, &x->v[i], e);
	for (uint32_t i = 0; !r && i < x->n; i++)
		if (row_of(x, x->v[i].name))
			r = send_row(x, &x->v[i], x->v[i].name, x->v[i].fd, e);
	if (!r)
		r = send_mounts(x, e);
	for (uint32_t i = 0; i < x->n; i++) {
		own_close(&x->v[i].fd);
		free(x->v[i].name);
	}
	free(x);
	return r;
}
