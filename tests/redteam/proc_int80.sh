# SPDX-License-Identifier: Apache-2.0
# B14: system calls through the 32-bit gate.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='.'
EVENT='none'
ALONE='seccomp'
control() { attempt int80; }
attack() { attempt int80; }
