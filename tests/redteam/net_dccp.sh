# SPDX-License-Identifier: Apache-2.0
# B12: DCCP.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='socket FAMILY'
control() { attempt socket 2 6 33 || { echo SKIP the kernel has no DCCP; false; }; }
attack() { attempt socket 2 6 33; }
