/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links are followed, as an exec would: the tree is read-only. What lies in a writable tree is not reported, since
 * nothing there runs under strict; view.c has said so, or warned that it is not there.
 */
#include "runs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "own.h"
#include "paths.h"
#include "resolve.h"
#include "trees.h"
#include "windows.h"

struct runs {
	int channel;
	struct osh_msg_tree t;
	char *trees[OSH_LIST_MAX];	/* listed directories, as the kernel names them */
	uint32_t n;
};

/* "DIR/ **" is DIR and true. */
static bool tree_of(const char *pattern, char path[PATH_MAX])
{
	size_t n = strlen(pattern);

	snprintf(path, PATH_MAX, "%s", pattern);
	if (n < 3 || strcmp(pattern + n - 3, "/**"))
		return false;
	path[n == 3 ? 1 : n - 3] = 0;
	return true;
}

static int keep_tree(struct runs *x, int fd, struct err *e)
{
	char link[64], path[PATH_MAX];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0)
		return fail(e, n ? errno : EPROTO, "process.exec.allow: name of a directory: %s", strerror(n ? errno : EPROTO));
	path[n] = 0;
	x->trees[x->n] = strdup(path);
	if (!x->trees[x->n])
		return fail(e, ENOMEM, "process.exec.allow: out of memory");
	x->n++;
	return 0;
}

static int send_row(struct runs *x, const char *pattern, struct err *e)
{
	char path[PATH_MAX];
	bool tree = tree_of(pattern, path);
	_close_ int fd = open_at(AT_FDCWD, path, O_PATH, RESOLVE_NO_MAGICLINKS);
	struct statvfs fs;
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0 || fstatvfs(fd, &fs) < 0 || !(fs.f_flag & ST_RDONLY) ||
	    (tree ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)))
		return 0;
	r = tree ? keep_tree(x, fd, e) : 0;
	x->t.kind = OSH_TREE_RUN;
	return r ? r : trees_report(x->channel, &x->t, path, fd, e);
}

/* A walk towards the root ends at that of the file system, so each mount below a listed directory has its own entry. */
static int send_mount(struct runs *x, const char *path, bool writable, struct err *e)
{
	_close_ int fd = -1;
	bool listed = false;

	for (uint32_t i = 0; i < x->n; i++)
		listed |= paths_within(path, x->trees[i]);
	if (!writable && !listed)
		return 0;
	fd = open_at(AT_FDCWD, path, O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS);
	if (fd < 0)
		return fail(e, -fd, "process.exec.allow: mount '%s': %s", path, strerror(-fd));
	x->t.kind = writable ? OSH_TREE_RUN_NOT : OSH_TREE_RUN;
	return trees_report(x->channel, &x->t, path, fd, e);
}

static int send_all(struct runs *x, const struct bundle *b, struct err *e)
{
	_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_free_ char *line = NULL;
	bool read_only;
	size_t room = 0;
	char *path;
	int r = 0;

	if (!f)
		return fail(e, errno, "/proc/self/mountinfo: %s", strerror(errno));
	for (uint32_t i = 0; !r && i < b->n_exec; i++)
		r = send_row(x, bundle_str(b, b->exec[i].pattern), e);
	while (!r && getline(&line, &room, f) > 0) {
		r = mountinfo_line(line, &path, &read_only, e);
		if (!r)
			r = send_mount(x, path, !read_only, e);
	}
	return r;
}

int runs_send(int channel, const struct osh_msg_launch *m, const struct bundle *b, struct err *e)
{
	struct runs *x = calloc(1, sizeof(*x));
	int r;

	if (!x)
		return fail(e, ENOMEM, "process.exec.allow: out of memory");
	x->channel = channel;
	x->t.id = m->id;
	r = send_all(x, b, e);
	for (uint32_t i = 0; i < x->n; i++)
		free(x->trees[i]);
	free(x);
	return r;
}
