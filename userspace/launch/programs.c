/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No link is followed: in a writable tree somebody else may have made it, and then it would give that
 * program's rights to whatever it points to. Patterns name no file and register nothing.
 */
#include "programs.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <unistd.h>

#include "chan.h"
#include "own.h"
#include "resolve.h"

#define PROGRAMS_MAX 1024		/* of one sandbox; each is a descriptor for its life */

static int open_program(const struct paths *p, const struct osh_b_binary *bin, const char *listed)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if ((bin->flags & OSH_BIN_GLOB) || paths_clean(listed, path, sizeof(path)) < 0)
		return -1;
	if (!paths_writable(p, path))
		return -1;
	fd = open_at(AT_FDCWD, path, O_PATH, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)))
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

int programs_send(int channel, uint32_t id, const struct paths *p, const struct bundle *b,
		  struct err *e)
{
	struct osh_msg_programs m = { .id = id };
	int fds[OSH_PROGRAMS_MSG], r = 0;
	unsigned all = 0;

	for (uint32_t i = 0; !r && i < b->n_binaries; i++) {
		int fd = open_program(p, &b->binaries[i], bundle_str(b, b->binaries[i].path));

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
