# SPDX-License-Identifier: Apache-2.0
# B: a group of machines.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='connect DEST_UNKNOWN'
control() { attempt connect "$ADDRESS" "$PORT"; }
attack() { attempt connect 224.0.0.1 80; }
