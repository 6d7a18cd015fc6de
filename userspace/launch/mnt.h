/* SPDX-License-Identifier: Apache-2.0 */
/* Mounts by descriptor only: copies, attributes, places. No function takes a path from outside. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/mount.h>

#include "err.h"

#define MNT_BASE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

/* A detached copy of what fd shows. Recursive: with the mounts below it. */
int mnt_copy(int fd, bool recursive, int *ret_fd, struct err *e);

/* attr: MOUNT_ATTR_*; idmap_fd -1 = none. Raw -errno, for callers who know better words. */
int mnt_attr(int fd, uint64_t attr, bool recursive, int idmap_fd);
int mnt_attr_clear(int fd, uint64_t attr);

/* A new file system with "key", "value" pairs ending in NULL; value "" = a flag. */
int mnt_new(const char *type, const char *const *options, uint64_t attr, int *ret_fd, struct err *e);

/* Puts a detached mount on a directory or file given by descriptor. Raw -errno. */
int mnt_move(int tree_fd, int target_fd);

/* Copies fd and puts the copy on target; attr as above. */
int mnt_bind(int fd, int target_fd, uint64_t attr, struct err *e);
