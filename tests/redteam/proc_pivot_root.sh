# SPDX-License-Identifier: Apache-2.0
# E4: another root.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { mkdir -p old && unshare -m sh -c "mount --bind $WORK $WORK && cd $WORK && ./call pivot_root =$WORK =$WORK/old"; }
attack() { call pivot_root "=$WORK" "=$WORK/old"; }
