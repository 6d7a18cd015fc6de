# SPDX-License-Identifier: Apache-2.0
# B12: UDP-Lite.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='socket FAMILY'
control() { attempt socket 2 2 136 || { echo SKIP the kernel has no UDP-Lite; false; }; }
attack() { attempt socket 2 2 136; }
