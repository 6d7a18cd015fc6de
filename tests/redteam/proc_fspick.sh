# SPDX-License-Identifier: Apache-2.0
# E4: reconfiguring a mount through its superblock.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { unshare -m sh -c "mount -t tmpfs none /mnt && $WORK/call fspick -100 =/mnt 0"; }
attack() { call fspick -100 =/ 0; }
