# SPDX-License-Identifier: Apache-2.0
# B12: AF_XDP, which is past every filter.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='socket FAMILY|SYSCALL'
control() { attempt socket 44 3 0 || { echo SKIP this machine has none; false; }; }
attack() { attempt socket 44 3 0; }
