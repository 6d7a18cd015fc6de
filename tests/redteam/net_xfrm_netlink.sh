# SPDX-License-Identifier: Apache-2.0
# B: IPsec, a piece of kernel that has fallen often.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno='
EVENT='socket FAMILY'
control() { attempt socket 16 3 6 || { echo SKIP the kernel has no IPsec; false; }; }
attack() { attempt socket 16 3 6; }
