/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directories that oshd makes for sandboxes (homes, volumes) and takes away again. What lies in them was
 * made by a sandbox: any name, any depth, any mode. So a child with the directory's owner's identity
 * empties them, following nothing, and the loop does not wait for it.
 */
#pragma once

#include "daemon.h"

/* Makes PARENT/name if need be, of this owner and mode 0700, and opens it. -EPERM: it is there, and another's. */
int tree_make(int parent_fd, const char *name, uid_t uid, gid_t gid, int *ret_fd, struct err *e);

/* Begins; done() follows from the loop, once nothing is left (0) or nothing more can be done (-errno, said). */
int tree_remove(struct daemon *d, int parent_fd, const char *name, void (*done)(void *data, int result), void *data,
		struct err *e);
void tree_close(struct daemon *d);	/* ends what is under way; done() is not called */

/* What the child does: everything below fd goes. -errno: the first reason why something stays. */
int tree_empty(int fd);
