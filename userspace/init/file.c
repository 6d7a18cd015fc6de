/* SPDX-License-Identifier: Apache-2.0 */
/* A file or directory as the sandbox names it: a place, not its bytes. */
#include <fcntl.h>
#include <sys/stat.h>

#include <stdbool.h>

#include "errand.h"

int errand_file(const struct chan_in *in, int *ret_fd, struct err *e)
{
	const struct osh_msg_file *m = (const void *)in->bytes;
	bool make = m->flags & OSH_FILE_MAKE;

	if ((m->flags & ~OSH_FILE_MAKE) || m->path[0] != '/' || strnlen(m->path, sizeof(m->path)) == sizeof(m->path))
		return fail(e, EINVAL, "a file in the sandbox wants an absolute path below %zu bytes", sizeof(m->path));
	umask(0);			/* the mode is the client's word */
	if (make && mkdir(m->path, m->mode & 0777) < 0 && errno != EEXIST)
		return fail(e, errno, "make '%.180s' in the sandbox: %s", m->path, strerror(errno));
	*ret_fd = open(m->path, O_PATH | O_CLOEXEC | (make ? O_DIRECTORY : 0));
	return *ret_fd < 0 ? fail(e, errno, "'%.180s' in the sandbox: %s", m->path, strerror(errno)) : 0;
}
