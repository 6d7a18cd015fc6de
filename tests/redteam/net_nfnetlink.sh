# SPDX-License-Identifier: Apache-2.0
# B: the packet filter's own settings.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno='
EVENT='socket FAMILY'
control() { attempt socket 16 3 12; }
attack() { attempt socket 16 3 12; }
