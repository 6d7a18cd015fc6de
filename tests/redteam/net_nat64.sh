# SPDX-License-Identifier: Apache-2.0
# B: an address of IPv4 inside one that is translated.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect 64:ff9b::a00:1 80; }
