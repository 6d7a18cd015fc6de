# SPDX-License-Identifier: Apache-2.0
# B: an address of IPv4 inside 6to4.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect 2002:a00:1::1 80; }
