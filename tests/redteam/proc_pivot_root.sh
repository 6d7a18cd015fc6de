# SPDX-License-Identifier: Apache-2.0
# E4: another root.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { unshare -m sh -c "mount -t tmpfs none /mnt && mkdir /mnt/old && $WORK/call pivot_root =/mnt =/mnt/old"; }
attack() { call pivot_root =/ =/tmp; }
