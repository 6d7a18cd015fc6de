/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a sandbox was granted besides directories (OSH_MOUNT_NODE, _ENV): device nodes of the host, which appear in its
 * /dev under the names that oshd gave, and variables that every command in it has.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "mounts.h"

/* Pure text and kind: a node below /dev that hides nothing of the sandbox's own. */
int nodes_check(const struct mount_given *g, struct err *e);

/* In the child: `dev` is the sandbox's /dev, still open for writing. */
int nodes_put(const struct mounts *m, int dev, struct err *e);

/* Groups that nodes belong to, of those that the caller (root: anybody) is in; at most n. How many. */
size_t nodes_groups(const struct mounts *m, const struct osh_msg_launch *l, gid_t *ret, size_t n);

/* NAME=value, NULL at the end; points into *m. Heap, or NULL. */
char **nodes_env(const struct mounts *m);
