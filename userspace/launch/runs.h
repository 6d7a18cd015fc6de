/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where LSM programs keep `process.exec: strict`: what it lists is reported with descriptors, since the kernel's
 * side knows files and directories by their inodes.
 */
#pragma once

#include "bundle.h"
#include "err.h"
#include "osh/msg.h"

/*
 * Run inside the finished view, as root, /proc mounted. Sends OSH_MSG_TREE on `channel`: each listed file and
 * directory that cannot be written, what is mounted below such a directory, and each writable mount.
 */
int runs_send(int channel, const struct osh_msg_launch *m, const struct bundle *b, struct err *e);
