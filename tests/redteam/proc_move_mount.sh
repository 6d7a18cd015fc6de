# SPDX-License-Identifier: Apache-2.0
# E4: a mount moved over another path.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { mkdir -p there && unshare -m sh -c "mount --bind $WORK $WORK && cd $WORK && ./call move_mount -100 =$WORK -100 =/tmp 0"; }
attack() { call move_mount -100 "=$WORK" -100 =/tmp 0; }
