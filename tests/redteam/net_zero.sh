# SPDX-License-Identifier: Apache-2.0
# B7: 0.0.0.0 reaches the local host on Linux.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|ECONNREFUSED)'
EVENT='none'
NET=yes
control() { attempt connect 0.0.0.0 "$PORT"; }
attack() { attempt connect 0.0.0.0 "$PORT"; }
