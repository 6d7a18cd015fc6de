# SPDX-License-Identifier: Apache-2.0
# B: a neighbour on the link.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect 169.254.10.20 80; }
