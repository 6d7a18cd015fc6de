# SPDX-License-Identifier: Apache-2.0
# B12: SCTP, whose streams no hook sees.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='socket FAMILY'
control() { attempt socket 2 1 132 || { echo SKIP the kernel has no SCTP; false; }; }
attack() { attempt socket 2 1 132; }
