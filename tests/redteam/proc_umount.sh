# SPDX-License-Identifier: Apache-2.0
# A11: what is mounted over a path, taken off.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { unshare -m sh -c "mount --bind $WORK $WORK && $WORK/call umount2 =$WORK 2"; }
attack() { call umount2 "=$WORK" 2; }
