/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Name to descriptor, with the rights of whoever runs it. Symbolic links are followed one by one and
 * written down, so that the view can show the same names; magic links never.
 */
#pragma once

#include <stddef.h>

struct paths;

struct resolved {
	char *path;			/* no symbolic link in it */
	int fd;				/* O_PATH of exactly that path */
};

/* `path` is clean (paths_clean). 0, or -errno as open(2); links met are added to p->links. */
int resolve(struct paths *p, const char *path, struct resolved *ret);
void resolved_done(struct resolved *r);

/* Where a directory descriptor lies in our root; -ENOENT if it has been removed or lies outside. */
int resolve_fd(int fd, char *ret, size_t n);

/* openat2(2) with O_CLOEXEC: `how` are RESOLVE_* flags. The descriptor, or -errno. */
int open_at(int dir, const char *path, unsigned long long flags, unsigned long long how);
