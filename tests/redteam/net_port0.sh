# SPDX-License-Identifier: Apache-2.0
# B: no port.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='connect DEST_UNKNOWN'
control() { attempt connect "$ADDRESS" "$PORT"; }
attack() { attempt connect 192.0.2.1 0; }
