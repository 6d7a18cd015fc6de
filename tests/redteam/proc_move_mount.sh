# SPDX-License-Identifier: Apache-2.0
# E4: move_mount puts what open_tree holds over another path.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call move_mount -1 =x -1 =x 0); [ "$out" = errno=EBADF ]; }
attack() { call move_mount -1 = -1 = 0; }
