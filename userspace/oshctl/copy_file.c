/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Written beside its place and moved there when it is whole, so that what lies there is replaced, never
 * written through. Holes stay holes: a file's size costs nobody anything, its bytes do.
 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "copy.h"
#include "own.h"

#define PIECE (256 * 1024)

/* O_PATH was only a place. Through /proc it is this file that is opened, and no name is looked up again. */
static int reopen(int fd)
{
	char path[40];
	int r;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	r = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

enum end { END_WHOLE, END_SHORT, END_STOPPED };

/* [at, end) of the source; -errno of reading, or of writing with *ret_write. */
static int piece(struct copy *c, int from, int to, off_t at, off_t end, enum end *ret_end, bool *ret_write)
{
	static char bytes[PIECE];

	while (at < end) {
		size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
		ssize_t n = pread(from, bytes, want, at);

		if (n < 0 && errno == EINTR)
			n = 0;
		else if (n < 0)
			return -errno;
		else if (n == 0) {
			*ret_end = END_SHORT;
			return 0;
		}
		for (ssize_t done = 0; done < n;) {
			ssize_t k = pwrite(to, bytes + done, (size_t)(n - done), at + done);

			if (k < 0 && errno == EINTR)
				continue;
			if (k <= 0) {
				*ret_write = true;
				return k < 0 ? -errno : -EIO;
			}
			done += k;
		}
		at += n;
		c->bytes += (uint64_t)n;
		c->tick(c->data);
		if (c->stop(c->data)) {
			*ret_end = END_STOPPED;
			return 0;
		}
	}
	return 0;
}

/* Where the next bytes are; *at == size: none. A file system without holes says so, and all is bytes. */
static int next_data(int fd, off_t *at, off_t *end, off_t size)
{
	off_t data = lseek(fd, *at, SEEK_DATA), hole;

	if (data < 0 && errno == ENXIO) {
		*at = size;
		return 0;
	}
	if (data < 0) {
		*end = size;
		return errno == EINVAL ? 0 : -errno;
	}
	hole = lseek(fd, data, SEEK_HOLE);
	*at = data < size ? data : size;
	*end = hole <= data || hole > size ? size : hole;	/* punched meanwhile: forwards all the same */
	return 0;
}

static int contents(struct copy *c, int from, int to, off_t size, enum end *ret_end, bool *ret_write)
{
	off_t at = 0, end = 0;
	int r = 0;

	if (ftruncate(to, size) < 0) {
		*ret_write = true;
		return -errno;
	}
	for (; !r && at < size && *ret_end == END_WHOLE; at = end) {
		r = next_data(from, &at, &end, size);
		if (at == size)
			break;
		if (!r)
			r = piece(c, from, to, at, end, ret_end, ret_write);
	}
	return r;
}

static int temporary(struct copy *c, int to, char *name, size_t n)
{
	int fd = -1;

	for (int i = 0; fd < 0 && i < 100; i++) {
		snprintf(name, n, ".osh-copy-%d-%u", getpid(), ++c->temp);
		fd = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd < 0 ? -errno : fd;
}

/* Says what stands between this file and its copy; 1 = it may be moved into its place. */
static int verdict(struct copy *c, int r, enum end end, bool writing, struct err *e)
{
	if (r < 0 && writing && (r == -ENOSPC || r == -EDQUOT))
		return fail(e, -r, "'%.150s': %s", c->path.p ? c->path.p : "", strerror(-r));
	if (r < 0)
		return copy_skip(c, -r, writing && r == -EFBIG ? "too large for where it is to go" : NULL);
	if (end == END_STOPPED)
		return fail(e, ECANCELED, "interrupted");
	return end == END_SHORT ? copy_skip(c, 0, "became shorter while it was read") : 1;
}

static int write_out(struct copy *c, int from, const struct stat *st, int to, const char *name, struct err *e)
{
	const struct timespec times[2] = { st->st_atim, st->st_mtim };
	enum end end = END_WHOLE;
	bool writing = false;
	struct stat now;
	_close_ int fd = -1;
	char temp[64];
	int r;

	copy_as(c, COPY_TO);
	fd = temporary(c, to, temp, sizeof(temp));
	if (fd < 0)
		return copy_skip(c, -fd, NULL);
	r = contents(c, from, fd, st->st_size, &end, &writing);
	r = verdict(c, r, end, writing, e);
	if (r == 1 && (fchmod(fd, (st->st_mode & 0777 & ~c->mask) | 0600) < 0 || renameat(to, temp, to, name) < 0))
		r = copy_skip(c, errno, errno == EISDIR ? "a directory is in its place" : NULL);
	if (r != 1) {
		unlinkat(to, temp, 0);
		return r;
	}
	(void)futimens(fd, times);	/* a file system may keep none */
	c->files++;
	if (!fstat(from, &now) && now.st_size > st->st_size)
		return copy_skip(c, 0, "grew while it was read: what it had at first was copied");
	return 0;
}

int copy_file(struct copy *c, int from, int to, const char *name, struct err *e)
{
	struct stat st;
	_close_ int fd = -1;

	copy_as(c, COPY_FROM);
	fd = reopen(from);
	if (fd < 0)
		return copy_skip(c, -fd, NULL);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return copy_skip(c, EINVAL, "no file any more");
	return write_out(c, fd, &st, to, name, e);
}
