# SPDX-License-Identifier: Apache-2.0
# E4: single ports.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call ioperm 0x80 1 1 || { echo SKIP the kernel has no such call; false; }; }
attack() { call ioperm 0x80 1 1; }
