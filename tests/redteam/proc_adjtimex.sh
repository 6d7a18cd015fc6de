# SPDX-License-Identifier: Apache-2.0
# E4: the speed of the machine's clock; here only read.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call adjtimex @256; }
attack() { call adjtimex @256; }
