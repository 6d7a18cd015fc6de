# SPDX-License-Identifier: Apache-2.0
# B1: connect() to an address that no rule names.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EACCES'
EVENT='connect DEST_UNKNOWN'
NET=yes
control() { attempt connect "$ADDRESS" "$PORT"; }
attack() { attempt connect "$ADDRESS" "$PORT"; }
