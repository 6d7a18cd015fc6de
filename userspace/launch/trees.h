/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where LSM programs keep `filesystem_policy.deny`: every tree of the view that can be written is reported
 * with a descriptor, since the kernel's side knows directories by their inodes, and so is every file that
 * an entry names by its full path.
 */
#pragma once

#include "paths.h"
#include "osh/msg.h"

/*
 * Run inside the finished view, as root, /proc mounted. Refuses an entry whose path leads through a symbolic
 * link: what it means would not be what it says. Sends OSH_MSG_TREE on `channel`.
 */
int trees_send(int channel, const struct osh_msg_launch *m, const struct paths *p, const struct bundle *b,
	       struct err *e);

/* One tree, file or kind of them, to oshd. */
int trees_report(int channel, struct osh_msg_tree *t, const char *path, int fd, struct err *e);
