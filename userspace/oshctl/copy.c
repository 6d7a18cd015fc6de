/* SPDX-License-Identifier: Apache-2.0 */
/* The walk. Each step is one name in a directory that is held open. */
#include "copy.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "osh/limits.h"
#include "own.h"

void copy_as(const struct copy *c, enum copy_side side)
{
	bool other = c->as_other && side == c->inside;

	if (!c->as_other)
		return;
	/* The capabilities that reach files go with fsuid 0 and come back with it. */
	setfsgid(other ? c->gid : 0);
	setfsuid(other ? c->uid : 0);
}

int copy_skip(struct copy *c, int code, const char *why)
{
	c->left_out++;
	c->skipped(c->data, c->path.n ? c->path.p : ".", why ? why : strerror(code));
	return 0;
}

int copy_last(const char *path, char *ret, size_t n)
{
	size_t end = strlen(path), start;

	while (end && path[end - 1] == '/')
		end--;
	for (start = end; start && path[start - 1] != '/';)
		start--;
	if (end - start >= n)
		return -ENAMETOOLONG;
	memcpy(ret, path + start, end - start);
	ret[end - start] = 0;
	if (!strcmp(ret, "."))
		*ret = 0;
	return strcmp(ret, "..") ? 0 : -EINVAL;
}

/* One name, beneath the directory, and what it is itself: with O_PATH a link is opened as a link. */
static int open_name(int dir, const char *name, unsigned long long flags)
{
	struct open_how how = { .flags = flags | O_CLOEXEC | O_NOFOLLOW,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

struct names {
	char **at;
	size_t n;
};

static void names_done(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->at[i]);
	free(l->at);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_add(struct names *l, const char *name)
{
	char **more = l->n % 64 ? l->at : realloc(l->at, (l->n + 64) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	l->at = more;
	more[l->n] = strdup(name);
	return more[l->n] ? (l->n++, 0) : -ENOMEM;
}

/* All at once, and counted: a directory that grows while it is read has an end. */
static int names_read(struct copy *c, int dir, struct names *l, struct err *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d) {
		r = copy_skip(c, errno, NULL);
		own_close(&fd);
		return r;
	}
	for (struct dirent *x; !r && (errno = 0, x = readdir(d));) {
		if (!strcmp(x->d_name, ".") || !strcmp(x->d_name, "..") || strchr(x->d_name, '/'))
			continue;
		if (++c->entries > OSH_COPY_ENTRIES)
			r = fail(e, E2BIG, "more than %d files and directories", OSH_COPY_ENTRIES);
		else if ((r = names_add(l, x->d_name)) < 0)
			r = fail(e, ENOMEM, "out of memory");
	}
	if (!r && errno)
		r = copy_skip(c, errno, NULL);
	closedir(d);
	if (l->n)
		qsort(l->at, l->n, sizeof(*l->at), by_name);
	return r;
}

static int walk(struct copy *c, int from, int to, unsigned depth, struct err *e);

/* The directory that is to take it: a new one, or one that is there and is no link. */
static int make_dir(struct copy *c, int to, const char *name, int *ret_fd, bool *ret_made)
{
	int fd;

	copy_as(c, COPY_TO);
	*ret_made = !mkdirat(to, name, 0700);
	if (!*ret_made && errno != EEXIST)
		return -errno;
	fd = open_name(to, name, O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return fd;
	*ret_fd = fd;
	return 0;
}

static int copy_dir(struct copy *c, int from, const struct stat *st, int to, const char *name, unsigned depth,
		    struct err *e)
{
	_close_ int fd = -1;
	bool made;
	int r;

	if (depth >= OSH_COPY_DEPTH)
		return copy_skip(c, ELOOP, "too deep");
	r = make_dir(c, to, name, &fd, &made);
	if (r < 0)
		return copy_skip(c, -r, r == -ENOTDIR || r == -ELOOP ? "something that is no directory is in its place"
								      : NULL);
	c->dirs++;
	r = walk(c, from, fd, depth + 1, e);
	copy_as(c, COPY_TO);
	if (made && !r)
		(void)fchmod(fd, (st->st_mode & 0777 & ~c->mask) | 0700);	/* 0700 lets nobody else in */
	return r;
}

static int copy_link(struct copy *c, int from, int to, const char *name)
{
	char target[PATH_MAX];
	ssize_t n;

	if (!c->links)
		return copy_skip(c, 0, "a symbolic link; --links makes it anew");
	copy_as(c, COPY_FROM);
	n = readlinkat(from, "", target, sizeof(target) - 1);
	if (n <= 0)
		return copy_skip(c, n < 0 ? errno : EINVAL, NULL);
	target[n] = 0;
	copy_as(c, COPY_TO);
	if (symlinkat(target, to, name) < 0)
		return copy_skip(c, errno, errno == EEXIST ? "a symbolic link, and something is in its place" : NULL);
	c->symlinks++;
	return 0;
}

static const char *kind(mode_t mode)
{
	return S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : S_ISCHR(mode) || S_ISBLK(mode) ? "a device"
													  : "no file";
}

static int node(struct copy *c, int from, int to, const char *name, unsigned depth, struct err *e)
{
	struct stat st;

	if (c->stop(c->data))
		return fail(e, ECANCELED, "interrupted");
	c->tick(c->data);
	copy_as(c, COPY_FROM);
	if (fstat(from, &st) < 0)
		return copy_skip(c, errno, NULL);
	if (S_ISREG(st.st_mode))
		return copy_file(c, from, to, name, e);
	if (S_ISDIR(st.st_mode))
		return copy_dir(c, from, &st, to, name, depth, e);
	return S_ISLNK(st.st_mode) ? copy_link(c, from, to, name) : copy_skip(c, 0, kind(st.st_mode));
}

static int step(struct copy *c, int from, int to, const char *name, unsigned depth, struct err *e)
{
	size_t was = c->path.n;
	_close_ int fd = -1;
	int r;

	if (was) {
		c->path.n--;		/* the NUL */
		buf_str(&c->path, "/");
	}
	buf_put(&c->path, name, strlen(name) + 1);
	if (!buf_ok(&c->path))
		return fail(e, ENOMEM, "out of memory");
	copy_as(c, COPY_FROM);
	fd = open_name(from, name, O_PATH);
	r = fd < 0 ? copy_skip(c, -fd, NULL) : node(c, fd, to, name, depth, e);
	c->path.n = was;
	if (was)
		c->path.p[was - 1] = 0;
	return r;
}

static int walk(struct copy *c, int from, int to, unsigned depth, struct err *e)
{
	struct names l = { 0 };
	int r;

	copy_as(c, COPY_FROM);
	r = names_read(c, from, &l, e);
	for (size_t i = 0; !r && i < l.n; i++)
		r = step(c, from, to, l.at[i], depth, e);
	names_done(&l);
	return r;
}

int copy_node(struct copy *c, int from, int to, const char *name, struct err *e)
{
	int r = node(c, from, to, name, 0, e);

	copy_as(c, (enum copy_side)!c->inside);
	return r;
}

int copy_tree(struct copy *c, int from, int to, struct err *e)
{
	int r = walk(c, from, to, 1, e);

	copy_as(c, (enum copy_side)!c->inside);
	return r;
}
