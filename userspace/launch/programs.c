/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No link is followed: in a writable tree somebody else may have made it, and then it would give that
 * program's rights to whatever it points to. Patterns name no file and register nothing.
 */
#include "programs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "chan.h"
#include "own.h"
#include "resolve.h"

#define PROGRAMS_MAX 1024		/* of one sandbox; each is a descriptor for its life */

static int open_regular(const char *path)
{
	struct statfs fs;
	struct stat st;
	int fd = open_at(AT_FDCWD, path, O_PATH, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);

	/* Whoever answers for a FUSE file says each time anew what it holds, and lets its readers wait. */
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fstatfs(fd, &fs) < 0 ||
			(long)fs.f_type == FUSE_SUPER_MAGIC))
		own_close(&fd);
	return fd;
}

/* The policy's tree decides at a start; later the mount does, which says the same and knows volumes, too. */
struct where {
	const struct paths *p;		/* NULL = ask the mount */
	const struct bundle *was;	/* what is listed there is open already; NULL = nothing is */
};

static bool was_listed(const struct bundle *was, const char *path)
{
	for (uint32_t i = 0; was && i < was->n_binaries; i++)
		if (!strcmp(path, bundle_str(was, was->binaries[i].path)))
			return true;
	return false;
}

static int open_program(const struct where *w, const struct osh_b_binary *bin, const char *listed)
{
	char path[PATH_MAX];
	struct statvfs fs;
	int fd;

	if ((bin->flags & OSH_BIN_GLOB) || paths_clean(listed, path, sizeof(path)) < 0)
		return -1;
	if (w->p)
		return paths_writable(w->p, path) ? open_regular(path) : -1;
	fd = open_regular(path);
	if (fd >= 0 && (fstatvfs(fd, &fs) < 0 || (fs.f_flag & ST_RDONLY) || was_listed(w->was, listed)))
		own_close(&fd);
	return fd;
}

static int flush(int channel, struct osh_msg_programs *m, int *fds, struct err *e)
{
	int r = m->n ? chan_send(channel, OSH_MSG_PROGRAMS, m, sizeof(*m), fds, (int)m->n) : 0;

	for (uint32_t i = 0; i < m->n; i++)
		close(fds[i]);
	m->n = 0;
	return r < 0 ? fail(e, -r, "report programs: %s", strerror(-r)) : 0;
}

static int send_all(int channel, uint32_t id, const struct where *w, const struct bundle *b, struct err *e)
{
	struct osh_msg_programs m = { .id = id };
	int fds[OSH_PROGRAMS_MSG], r = 0;
	unsigned all = 0;

	for (uint32_t i = 0; !r && i < b->n_binaries; i++) {
		int fd = open_program(w, &b->binaries[i], bundle_str(b, b->binaries[i].path));

		if (fd < 0)
			continue;
		if (++all > PROGRAMS_MAX)
			r = fail(e, E2BIG, "more than %d listed programs lie in writable trees",
				 PROGRAMS_MAX);
		m.binary[m.n] = i;
		fds[m.n++] = fd;
		if (!r && m.n == OSH_PROGRAMS_MSG)
			r = flush(channel, &m, fds, e);
	}
	return r < 0 ? r : flush(channel, &m, fds, e);
}

int programs_send(int channel, uint32_t id, const struct paths *p, const struct bundle *b,
		  struct err *e)
{
	return send_all(channel, id, &(struct where){ .p = p }, b, e);
}

int programs_send_new(int channel, uint32_t id, const struct bundle *next, const struct bundle *was,
		      struct err *e)
{
	return send_all(channel, id, &(struct where){ .was = was }, next, e);
}
