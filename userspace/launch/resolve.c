/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Most paths hold no link and cost one openat2(2). The others are walked here by text; the result is
 * opened once more without following anything, so a name that changes meanwhile fails instead of
 * leading elsewhere.
 */
#include "resolve.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "own.h"
#include "paths.h"

#define LINKS_IN_A_PATH 40		/* as the kernel */

int open_at(int dir, const char *path, unsigned long long flags, unsigned long long how)
{
	struct open_how h = { .flags = flags | O_CLOEXEC, .resolve = how };
	int fd = (int)syscall(SYS_openat2, dir, path, &h, sizeof(h));

	return fd < 0 ? -errno : fd;
}

static int open_plain(const char *path)
{
	return open_at(AT_FDCWD, path, O_PATH, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

/* One more component on `done`, "." and ".." included: `done` holds no link, so its parent is text. */
static int step(char *done, const char *name, size_t len)
{
	size_t n = strlen(done);

	if (len == 1 && *name == '.')
		return 0;
	if (len == 2 && !strncmp(name, "..", 2)) {
		char *slash = strrchr(done, '/');

		if (slash)
			*slash = 0;
		return 0;
	}
	if (n + len + 2 > PATH_MAX)
		return -ENAMETOOLONG;
	done[n] = '/';
	memcpy(done + n + 1, name, len);
	done[n + 1 + len] = 0;
	return 1;
}

static int note_link(struct paths *p, const char *at, const char *target)
{
	struct link *l = &p->links[p->n_links];

	for (size_t i = 0; i < p->n_links; i++)
		if (!strcmp(p->links[i].at, at))
			return 0;
	if (p->n_links == PATHS_LINKS)
		return -ELOOP;
	l->at = strdup(at);
	l->target = strdup(target);
	p->n_links++;			/* counted even when half made: paths_done() frees it */
	return l->at && l->target ? 0 : -ENOMEM;
}

/* If `done` is a link: its target in front of `rest`, and `done` where the target starts from. */
static int follow(struct paths *p, char *done, char *rest, int *budget)
{
	_close_ int fd = open_at(AT_FDCWD, done, O_PATH | O_NOFOLLOW,
				 RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	char target[PATH_MAX], joined[2 * PATH_MAX];
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISLNK(st.st_mode))
		return 0;
	if (!(*budget)--)
		return -ELOOP;
	n = readlinkat(fd, "", target, sizeof(target) - 1);
	if (n <= 0)
		return n < 0 ? -errno : -ENOENT;
	target[n] = 0;
	r = note_link(p, done, target);
	if (r < 0)
		return r;
	if (snprintf(joined, sizeof(joined), "%s/%s", target, rest) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(rest, joined);
	if (*target == '/')
		*done = 0;
	else
		*strrchr(done, '/') = 0;
	return 0;
}

static int walk(struct paths *p, const char *path, char *done)
{
	char rest[PATH_MAX];
	int budget = LINKS_IN_A_PATH;

	*done = 0;
	snprintf(rest, sizeof(rest), "%s", path);
	for (int i = 0; i < PATH_MAX; i++) {	/* every turn takes a component */
		size_t skip = strspn(rest, "/"), len = strcspn(rest + skip, "/");
		int r;

		if (!len)
			return *done ? 0 : (strcpy(done, "/"), 0);
		r = step(done, rest + skip, len);
		memmove(rest, rest + skip + len, strlen(rest + skip + len) + 1);
		if (r > 0)
			r = follow(p, done, rest, &budget);
		if (r < 0)
			return r;
	}
	return -ELOOP;
}

int resolve(struct paths *p, const char *path, struct resolved *ret)
{
	char done[PATH_MAX];
	int fd = open_plain(path), r;

	if (fd == -ELOOP) {
		r = walk(p, path, done);
		if (r < 0)
			return r;
		path = done;
		fd = open_plain(path);
	}
	if (fd < 0)
		return fd;
	ret->path = strdup(path);
	if (!ret->path) {
		close(fd);
		return -ENOMEM;
	}
	ret->fd = fd;
	return 0;
}

void resolved_done(struct resolved *r)
{
	own_close(&r->fd);
	own_free(&r->path);
}

int resolve_fd(int fd, char *ret, size_t n)
{
	char link[40];
	struct stat st;
	ssize_t k;

	if (fstat(fd, &st) < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	k = readlink(link, ret, n);
	if (k < 0)
		return -errno;
	if ((size_t)k >= n)
		return -ENAMETOOLONG;
	ret[k] = 0;
	return st.st_nlink && *ret == '/' ? 0 : -ENOENT;	/* "(unreachable)/…" */
}
