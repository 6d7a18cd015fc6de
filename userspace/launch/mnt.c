/* SPDX-License-Identifier: Apache-2.0 */
/* The mount API of Linux 5.2 to 5.12 in the four shapes that the view needs. */
#include "mnt.h"

#include <fcntl.h>
#include <unistd.h>

#include "own.h"

int mnt_copy(int fd, bool recursive, int *ret_fd, struct err *e)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH;
	int t = open_tree(fd, "", recursive ? flags | AT_RECURSIVE : flags);

	if (t < 0)
		return fail(e, errno, "copy a mount: %s", strerror(errno));
	*ret_fd = t;
	return 0;
}

int mnt_attr(int fd, uint64_t attr, bool recursive, int idmap_fd)
{
	struct mount_attr a = { .attr_set = attr, .propagation = MS_PRIVATE };

	if (idmap_fd >= 0) {
		a.attr_set |= MOUNT_ATTR_IDMAP;
		a.userns_fd = (uint64_t)idmap_fd;
	}
	return mount_setattr(fd, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &a,
			     sizeof(a)) < 0 ? -errno : 0;
}

int mnt_attr_clear(int fd, uint64_t attr)
{
	struct mount_attr a = { .attr_clr = attr };

	return mount_setattr(fd, "", AT_EMPTY_PATH, &a, sizeof(a)) < 0 ? -errno : 0;
}

int mnt_new(const char *type, const char *const *options, uint64_t attr, int *ret_fd, struct err *e)
{
	_close_ int fs = fsopen(type, FSOPEN_CLOEXEC);
	int r = fs, fd;

	for (; r >= 0 && *options; options += 2)
		r = options[1][0] ? fsconfig(fs, FSCONFIG_SET_STRING, options[0], options[1], 0)
				  : fsconfig(fs, FSCONFIG_SET_FLAG, options[0], NULL, 0);
	if (r >= 0)
		r = fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r < 0)
		return fail(e, errno, "make a %s: %s", type, strerror(errno));
	fd = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attr);
	if (fd < 0)
		return fail(e, errno, "mount a %s: %s", type, strerror(errno));
	*ret_fd = fd;
	return 0;
}

int mnt_move(int tree_fd, int target_fd)
{
	return move_mount(tree_fd, "", target_fd, "",
			  MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? -errno : 0;
}

int mnt_bind(int fd, int target_fd, uint64_t attr, struct err *e)
{
	_close_ int t = -1;
	int r = mnt_copy(fd, false, &t, e);

	if (r < 0)
		return r;
	r = mnt_attr(t, attr, false, -1);
	if (!r)
		r = mnt_move(t, target_fd);
	return r < 0 ? fail(e, -r, "place a mount: %s", strerror(-r)) : 0;
}
