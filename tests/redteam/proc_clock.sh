# SPDX-License-Identifier: Apache-2.0
# E4: the machine's clock, set to the time that it shows.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call clock_settime 0 =x); [ "$out" = errno=EINVAL ] || [ "$out" = errno=EFAULT ]; }
attack() { call clock_settime 0 =xxxxxxxxxxxxxxxx; }
