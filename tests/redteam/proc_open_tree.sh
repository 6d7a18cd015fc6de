# SPDX-License-Identifier: Apache-2.0
# E4: a copy of a mount, held by a descriptor: what is mounted over a path comes off.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call open_tree -100 =/ 0x80001; }
attack() { call open_tree -100 =/ 0x80001; }
