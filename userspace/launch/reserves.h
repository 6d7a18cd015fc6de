/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths that are for some programs only (`binaries` in filesystem_policy): LSM programs keep them, which know files and
 * directories by their inodes, so each is reported with a descriptor.
 */
#pragma once

#include "paths.h"
#include "osh/msg.h"

/*
 * Run inside the finished view, as root, /proc mounted. Refuses a path that somebody inside could move, or that is the
 * sandbox's own. Sends OSH_MSG_TREE on `channel`: each such path, and what lies below one and is listed or mounted by itself.
 */
int reserves_send(int channel, const struct osh_msg_launch *m, const struct paths *p, const struct bundle *b, struct err *e);
