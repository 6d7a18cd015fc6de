/* SPDX-License-Identifier: Apache-2.0 */
#include "spec.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "buf.h"
#include "own.h"

static uint32_t put_strings(struct buf *b, char *const *list)
{
	uint32_t n = 0;

	for (; list && list[n]; n++)
		buf_put(b, list[n], strlen(list[n]) + 1);
	return n;
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t r = write(fd, p, n);

		if (r < 0 && errno != EINTR)
			return -errno;
		if (r > 0) {
			p += r;
			n -= (size_t)r;
		}
	}
	return 0;
}

static int seal(const struct buf *b, int *ret_fd, struct err *e)
{
	_close_ int fd = memfd_create("osh-spec", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r;

	if (fd < 0)
		return fail(e, errno, "command: memfd: %s", strerror(errno));
	r = write_all(fd, b->p, b->n);
	if (r < 0)
		return fail(e, -r, "command: memfd: %s", strerror(-r));
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		return fail(e, errno, "command: seal: %s", strerror(errno));
	*ret_fd = take_fd(&fd);
	return 0;
}

int spec_write(char *const *argv, char *const *envp, const char *cwd, struct osh_msg_init_spec *m,
	       int *ret_fd, struct err *e)
{
	struct buf b = { .limit = OSH_SPEC_BYTES };
	int r;

	m->argc = put_strings(&b, argv);
	m->envc = put_strings(&b, envp);
	buf_put(&b, cwd, strlen(cwd) + 1);
	m->bytes = (uint32_t)b.n;
	if (!buf_ok(&b) || m->argc > OSH_SPEC_STRINGS || m->envc > OSH_SPEC_STRINGS)
		r = fail(e, E2BIG, "command: arguments and environment are too long");
	else if (!m->argc != !!(m->flags & OSH_SPEC_BASE) ||
		 (cwd[0] != '/' && (*cwd || !(m->flags & OSH_SPEC_INHERIT))))
		r = fail(e, EINVAL, "command: empty, or its directory is not absolute");
	else
		r = seal(&b, ret_fd, e);
	buf_done(&b);
	return r;
}
