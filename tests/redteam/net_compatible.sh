# SPDX-License-Identifier: Apache-2.0
# B: an address of IPv4, the old way of writing it into IPv6.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect ::10.0.0.1 80; }
