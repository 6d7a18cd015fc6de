# SPDX-License-Identifier: Apache-2.0
# E4: addresses that are not random: the first step of most exploits.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call personality 0x40000; }
attack() { call personality 0x40000; }
