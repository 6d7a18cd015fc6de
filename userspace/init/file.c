/* SPDX-License-Identifier: Apache-2.0 */
/* A file or directory as the sandbox names it: a place, not its bytes. */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdbool.h>

#include "errand.h"
#include "own.h"

static int open_made(int dir, const char *name, const struct osh_msg_file *m)
{
	int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 || errno != ENOENT || !(m->flags & OSH_FILE_MAKE))
		return fd;
	if (mkdirat(dir, name, m->mode & 0777) < 0 && errno != EEXIST)
		return -1;
	return openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * Whoever writes there is no part of the sandbox and may do more: a link that the sandbox left would lead where
 * the sandbox itself may not write. One name at a time, since the filter leaves openat2 out.
 */
static int open_plain(const struct osh_msg_file *m, int *ret_fd, struct err *e)
{
	_close_ int at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[NAME_MAX + 1];
	struct stat st = { .st_mode = S_IFDIR };
	size_t n;

	for (const char *p = m->path + strspn(m->path, "/"); *p; p += n, p += strspn(p, "/")) {
		int next;

		n = strcspn(p, "/");
		if (n >= sizeof(name))
			return fail(e, ENAMETOOLONG, "'%.180s' in the sandbox: a name is too long", m->path);
		memcpy(name, p, n);
		name[n] = 0;
		next = p[n + strspn(p + n, "/")] ? openat(at, name, O_PATH | O_NOFOLLOW | O_CLOEXEC)
						 : open_made(at, name, m);
		if (next < 0)
			return fail(e, errno, "'%.180s' in the sandbox: %s", m->path, strerror(errno));
		own_close(&at);
		at = next;
		if (fstat(at, &st) < 0)
			return fail(e, errno, "'%.180s' in the sandbox: %s", m->path, strerror(errno));
		if (S_ISLNK(st.st_mode))
			return fail(e, ELOOP, "'%.180s' in the sandbox leads through a symbolic link, '%.60s': name the place itself",
				    m->path, name);
	}
	if (m->flags & OSH_FILE_MAKE && !S_ISDIR(st.st_mode))
		return fail(e, ENOTDIR, "'%.180s' in the sandbox is no directory", m->path);
	if (at < 0)
		return fail(e, errno, "'/' in the sandbox: %s", strerror(errno));
	*ret_fd = take_fd(&at);
	return 0;
}

int errand_file(const struct chan_in *in, int *ret_fd, struct err *e)
{
	const struct osh_msg_file *m = (const void *)in->bytes;

	if ((m->flags & ~(OSH_FILE_MAKE | OSH_FILE_PLAIN)) || m->path[0] != '/' ||
	    strnlen(m->path, sizeof(m->path)) == sizeof(m->path))
		return fail(e, EINVAL, "a file in the sandbox wants an absolute path below %zu bytes", sizeof(m->path));
	umask(0);			/* the mode is the client's word */
	if (m->flags)
		return open_plain(m, ret_fd, e);
	*ret_fd = open(m->path, O_PATH | O_CLOEXEC);
	return *ret_fd < 0 ? fail(e, errno, "'%.180s' in the sandbox: %s", m->path, strerror(errno)) : 0;
}
