# SPDX-License-Identifier: Apache-2.0
# E10: the selection of a console, pasted into another's terminal.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call ioctl 3 0x541C @16 3</dev/tty0 || { echo SKIP this machine has no console; false; }; }
attack() { call ioctl 0 0x541C @16; }
