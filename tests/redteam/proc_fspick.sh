# SPDX-License-Identifier: Apache-2.0
# E4: reconfiguring a mount through its superblock.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { unshare -m "$WORK/call" fspick -100 =/ 0; }
attack() { call fspick -100 =/ 0; }
