# SPDX-License-Identifier: Apache-2.0
# B: a network namespace of its own, whose loopback nobody watches.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call unshare 0x40000000; }
attack() { call unshare 0x40000000; }
