# SPDX-License-Identifier: Apache-2.0
# E10: a line discipline, which loads a kernel module.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call ioctl 0 0x5423 0); [ "$out" != errno=EPERM ]; }
attack() { call ioctl 0 0x5423 0; }
