# SPDX-License-Identifier: Apache-2.0
# B: whose connections there are.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno='
EVENT='socket FAMILY'
control() { attempt socket 16 3 4; }
attack() { attempt socket 16 3 4; }
