# SPDX-License-Identifier: Apache-2.0
# E10: characters put into a terminal as if they had been typed.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call ioctl 0 0x5412 0); [ "$out" != errno=EPERM ] || [ "$(cat /proc/sys/dev/tty/legacy_tiocsti 2>/dev/null)" = 0 ]; }
attack() { call ioctl 0 0x5412 0; }
