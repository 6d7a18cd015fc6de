/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts are read from mountinfo, which only the kernel writes. */
#include "trees.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "chan.h"
#include "own.h"
#include "resolve.h"
#include "twins.h"
#include "windows.h"

int trees_report(int channel, struct osh_msg_tree *t, const char *path, int fd, struct err *e)
{
	int r;

	if (strlen(path) >= sizeof(t->path))
		return fail(e, ENAMETOOLONG, "filesystem_policy: '%.100s...' is too long a path", path);
	if (path != t->path) {
		memset(t->path, 0, sizeof(t->path));
		strcpy(t->path, path);
	}
	r = chan_send(channel, OSH_MSG_TREE, t, sizeof(*t), &fd, 1);
	return r < 0 ? fail(e, -r, "report trees: %s", strerror(-r)) : 0;
}

/* Devices and processes: nothing of theirs is kept, and no entry is about them. */
static bool is_apart(const char *path)
{
	return paths_within(path, "/proc") || (paths_within(path, "/dev") && !paths_within(path, "/dev/shm"));
}

static int send_mount(struct twins *x, struct osh_msg_tree *t, const char *path, struct err *e)
{
	_close_ int fd = -1;
	int r;

	if (is_apart(path))
		return 0;
	fd = open_at(AT_FDCWD, path, O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return fail(e, -fd, "filesystem_policy.deny: mount '%s': %s", path, strerror(-fd));
	t->kind = OSH_TREE_ROOT;
	r = trees_report(x->channel, t, path, fd, e);
	return r ? r : twins_below(x, t, path, e);
}

/* It may be a mount of its own, lie in another tree, or not be in the view at all. */
static int send_workdir(struct twins *x, struct osh_msg_tree *t, struct err *e)
{
	_close_ int fd = open_at(AT_FDCWD, t->workdir, O_PATH | O_DIRECTORY, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	int r;

	if (fd == -ELOOP)
		return fail(e, ELOOP, "filesystem_policy.deny: '%s' leads through a symbolic link", t->workdir);
	if (fd < 0)
		return 0;
	t->kind = OSH_TREE_DIR;
	r = trees_report(x->channel, t, t->workdir, fd, e);
	return r ? r : twins_below(x, t, t->workdir, e);
}

/* Those that are read-only need no rule. */
static int send_line(struct twins *x, struct osh_msg_tree *t, char *line, struct err *e)
{
	bool read_only;
	char *path;
	int r = mountinfo_line(line, &path, &read_only, e);

	return r || read_only ? r : send_mount(x, t, path, e);
}

static int send_mounts(struct twins *x, struct osh_msg_tree *t, struct err *e)
{
	_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_free_ char *line = NULL;
	size_t room = 0;
	int r = 0;

	if (!f)
		return fail(e, errno, "/proc/self/mountinfo: %s", strerror(errno));
	while (!r && getline(&line, &room, f) > 0)
		r = send_line(x, t, line, e);
	return r;
}

/* Up to the first segment with a pattern: 1 = all of it was plain. */
static int plain_part(char *path)
{
	char *star;
	size_t n = strlen(path);

	while (n > 3 && !strcmp(path + n - 3, "/**"))
		path[n -= 3] = 0;
	star = strpbrk(path, "*?");
	if (!star)
		return 1;
	while (star > path && *star != '/')
		star--;
	*star = 0;
	return 0;
}

/* Neither the plain part of an entry nor anything on the way there may be a link, as far as it exists. */
static int check_entry(int channel, struct osh_msg_tree *t, const char *listed, struct err *e)
{
	char path[PATH_MAX], part[PATH_MAX];
	struct stat st;
	int whole, n;

	n = *listed == '/' ? snprintf(path, sizeof(path), "%s", listed)
			   : snprintf(path, sizeof(path), "%s/%s", t->workdir, listed);
	if (n < 0 || (size_t)n >= sizeof(path))
		return fail(e, ENAMETOOLONG, "deny '%s': too long", listed);
	whole = plain_part(path);
	for (size_t at = 1; *path && at <= strlen(path); at++) {
		_close_ int fd = -1;

		at += strcspn(path + at, "/");
		snprintf(part, sizeof(part), "%.*s", (int)at, path);
		fd = open_at(AT_FDCWD, part, O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS);
		if (fd < 0 || fstat(fd, &st) < 0)
			return 0;		/* not there yet */
		if (S_ISLNK(st.st_mode))
			return fail(e, ELOOP, "deny '%s': '%s' is a symbolic link: list what it leads to", listed, part);
		if (!whole || path[at] || !S_ISREG(st.st_mode))
			continue;
		t->kind = OSH_TREE_FILE;
		return trees_report(channel, t, path, fd, e);
	}
	return 0;
}

int trees_send(int channel, const struct osh_msg_launch *m, const struct paths *p, const struct bundle *b,
	       struct err *e)
{
	struct osh_msg_tree t = { .id = m->id };
	_free_ struct twins *x = calloc(1, sizeof(*x));
	const char *workdir = paths_workdir(p, m);
	int r;

	if (!x)
		return fail(e, ENOMEM, "filesystem_policy.deny: out of memory");
	if (strlen(workdir) >= sizeof(t.workdir))
		return fail(e, ENAMETOOLONG, "the working directory's path is too long");
	strcpy(t.workdir, workdir);
	x->channel = channel;
	r = deny_segs_of(&x->segs, b, e);
	if (!r)
		r = send_workdir(x, &t, e);
	if (!r)
		r = send_mounts(x, &t, e);
	for (uint32_t i = 0; !r && i < b->n_fs; i++) {
		t.row = i;
		if (b->fs[i].mode == OSH_FS_DENY)
			r = check_entry(channel, &t, bundle_str(b, b->fs[i].path), e);
	}
	return r;
}
