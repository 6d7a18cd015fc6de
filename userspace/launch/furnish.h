/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox's own part of its root: /tmp, /sandbox, /dev, /proc and five files of /etc. All of it is
 * made from nothing in file systems that only this sandbox has.
 */
#pragma once

#include "view.h"

/* Directories and files below the new root, their mounts, and their Landlock rules. */
int furnish(struct view *v, const struct paths *p, const struct view_args *a, struct err *e);

/* Once every tree is in place: our files of /etc over those of a listed /etc. */
int furnish_etc_over(struct view *v, const struct paths *p, struct err *e);

/* Parents are made as needed. `path` is absolute and holds no link. O_PATH descriptor. */
int furnish_dir(int root, const char *path, mode_t mode, int *ret_fd, struct err *e);
