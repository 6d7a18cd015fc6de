/* SPDX-License-Identifier: Apache-2.0 */
/* Done once when osh-launch starts. */
#include "program.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"

#define PROGRAM_MAX (64 << 20)
#define SEALS (F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL)
#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

int program_open(const char *name, struct err *e)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *slash;
	int fd;

	if (n <= 0)
		return fail(e, errno, "where osh-launch lies: %s", strerror(errno));
	path[n] = 0;
	slash = strrchr(path, '/');
	if (!slash || slash + 1 + strlen(name) >= path + sizeof(path))
		return fail(e, ENAMETOOLONG, "osh-launch has no usable directory");
	strcpy(slash + 1, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? fail(e, errno, "open '%s': %s", path, strerror(errno)) : fd;
}

int program_copy(const char *name, int *ret_fd, struct err *e)
{
	_close_ int from = program_open(name, e), to = -1;
	struct stat st;
	off_t at = 0;

	if (from < 0)
		return from;
	to = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (to < 0)
		return fail(e, errno, "memfd for %s: %s", name, strerror(errno));
	if (fstat(from, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > PROGRAM_MAX)
		return fail(e, EINVAL, "%s is no program", name);
	while (at < st.st_size)
		if (sendfile(to, from, &at, (size_t)(st.st_size - at)) <= 0)
			return fail(e, errno ? errno : EIO, "copy %s: %s", name, strerror(errno));
	if (fchmod(to, 0111) < 0 || fcntl(to, F_ADD_SEALS, SEALS) < 0)
		return fail(e, errno, "seal %s: %s", name, strerror(errno));
	*ret_fd = take_fd(&to);
	return 0;
}
