/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mnt.h"
#include "own.h"
#include "paths.h"
#include "resolve.h"

#define DEV "/dev/"
#define STEP (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

static const char *const own[] = {
#define NODE(name, major, minor) #name,
#include "osh/devices.def"
#undef NODE
	"fd", "stdin", "stdout", "stderr", "ptmx", "pts", "shm", "osh",
};

int nodes_check(const struct mount_given *g, struct err *e)
{
	char clean[sizeof(g->path)];
	const char *name = g->path + strlen(DEV);
	struct stat st;

	if (!memchr(g->path, 0, sizeof(g->path)) || strncmp(g->path, DEV, strlen(DEV)) ||
	    paths_clean(g->path, clean, sizeof(clean)) < 0 || strcmp(clean, g->path))
		return fail(e, EINVAL, "device '%.100s': not a plain path below /dev", g->path);
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (strcspn(name, "/") == strlen(own[i]) && !strncmp(name, own[i], strlen(own[i])))
			return fail(e, EPERM, "device '%.100s': the name is one of the sandbox's own", g->path);
	if (fstat(g->fd, &st) < 0 || !S_ISCHR(st.st_mode))
		return fail(e, ENODEV, "device '%.100s': no character device", g->path);
	return 0;
}

/* The descriptor is of oshd's mount namespace; only what lies in ours can be mounted again. */
static int own_node(const struct mount_given *g, int *ret_fd, struct err *e)
{
	char from[PATH_MAX];
	int r = resolve_fd(g->fd, from, sizeof(from));
	struct stat was, st;
	_close_ int fd = -1;

	if (r < 0 || fstat(g->fd, &was) < 0)
		return fail(e, ENODEV, "device '%.100s' has been removed", g->path);
	fd = open_at(AT_FDCWD, from, O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_rdev != was.st_rdev || st.st_ino != was.st_ino || !S_ISCHR(st.st_mode))
		return fail(e, ESTALE, "device '%.100s': '%.100s' is another one now", g->path, from);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* The directory that the node is to lie in, and its last name. */
static int place(int dev, const char *path, const char **ret_name, int *ret_dir, struct err *e)
{
	_close_ int dir = fcntl(dev, F_DUPFD_CLOEXEC, 3);
	const char *at = path + strlen(DEV), *slash;

	while (dir >= 0 && (slash = strchr(at, '/'))) {
		char part[NAME_MAX + 1];
		int next;

		snprintf(part, sizeof(part), "%.*s", (int)(slash - at), at);
		(void)mkdirat(dir, part, 0755);
		next = open_at(dir, part, O_PATH | O_DIRECTORY, STEP);
		close(dir);
		dir = next;
		at = slash + 1;
	}
	if (dir < 0)
		return fail(e, ENOTDIR, "make a place for '%.100s'", path);
	*ret_name = at;
	*ret_dir = take_fd(&dir);
	return 0;
}

static int put(const struct mount_given *g, int dev, struct err *e)
{
	_close_ int fd = -1, dir = -1, target = -1;
	const char *name = NULL;
	int r = own_node(g, &fd, e);

	if (!r)
		r = place(dev, g->path, &name, &dir, e);
	if (r < 0)
		return r;
	close(openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0));
	target = open_at(dir, name, O_PATH | O_NOFOLLOW, STEP);
	if (target < 0)
		return fail(e, -target, "make '%.100s' inside: %s", g->path, strerror(-target));
	/* It is the host's: opened for writing all the same, while its mode, owner and times stay. */
	return mnt_bind(fd, target, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, e);
}

int nodes_put(const struct mounts *m, int dev, struct err *e)
{
	int r = 0;

	for (size_t i = 0; m && !r && i < m->n; i++)
		if (m->at[i].flags & OSH_MOUNT_NODE)
			r = put(&m->at[i], dev, e);
	return r;
}

static bool may_have(const struct osh_msg_launch *l, gid_t gid)
{
	bool has = !l->uid || l->gid == gid;

	for (uint32_t i = 0; !has && i < l->n_groups; i++)
		has = l->groups[i] == gid;
	return has;
}

size_t nodes_groups(const struct mounts *m, const struct osh_msg_launch *l, gid_t *ret, size_t n)
{
	size_t has = 0;

	for (size_t i = 0; i < m->n && has < n; i++) {
		struct stat st;
		size_t k = 0;

		if (!(m->at[i].flags & OSH_MOUNT_NODE) || fstat(m->at[i].fd, &st) < 0 || !st.st_gid ||
		    !(st.st_mode & 0060) || !may_have(l, st.st_gid))
			continue;
		while (k < has && ret[k] != st.st_gid)
			k++;
		ret[k] = st.st_gid;
		has += k == has;
	}
	return has;
}

char **nodes_env(const struct mounts *m)
{
	char **list = calloc(m->n + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; list && i < m->n; i++)
		if (m->at[i].flags & OSH_MOUNT_ENV)
			list[n++] = m->at[i].path;
	return list;
}
