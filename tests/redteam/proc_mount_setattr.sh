# SPDX-License-Identifier: Apache-2.0
# A11: taking read-only off a mount.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call mount_setattr -100 =/usr 0 @32 32; }
attack() { call mount_setattr -100 =/usr 0 @32 32; }
