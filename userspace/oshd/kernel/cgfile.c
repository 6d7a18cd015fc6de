/* SPDX-License-Identifier: Apache-2.0 */
#include "cgfile.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "own.h"

int cgfile_read(int dir, const char *name, char *ret, size_t n)
{
	_close_ int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, ret, n - 1);

	ret[got > 0 ? got : 0] = 0;
	return got < 0 ? -errno : 0;
}

int cgfile_write(int dir, const char *name, const char *text)
{
	_close_ int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

bool cgfile_has(const char *list, const char *word, const char *separators)
{
	size_t n = strlen(word);

	for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
		size_t len = strcspn(list, separators);

		if (len == n && !strncmp(list, word, n))
			return true;
		list += len;
	}
	return false;
}

bool cgfile_enable(const struct cgroup_base *c, const char *controller)
{
	_close_ int root = open(c->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const int way[] = { root, c->slice_fd, c->instance_fd, c->box_fd };
	char text[512];

	for (size_t i = 0; i < ARRAY_SIZE(way); i++) {
		if (cgfile_read(way[i], "cgroup.controllers", text, sizeof(text)) < 0 || !cgfile_has(text, controller, " \n"))
			return false;
		snprintf(text, sizeof(text), "+%s", controller);
		if (cgfile_write(way[i], "cgroup.subtree_control", text) < 0)
			return false;
	}
	return true;
}
