# SPDX-License-Identifier: Apache-2.0
# E10: the selection of a console, pasted into another's terminal.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call ioctl 0 0x541C 0); [ "$out" = errno=ENOTTY ] || [ "$out" = errno=EINVAL ] || [ "$out" = errno=EFAULT ] || [ "$out" = ok ]; }
attack() { call ioctl 0 0x541C 0; }
