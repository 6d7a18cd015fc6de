# SPDX-License-Identifier: Apache-2.0
# E4: the machine's input and output ports.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call iopl 3 || { echo SKIP the kernel has no such call; false; }; }
attack() { call iopl 3; }
