# SPDX-License-Identifier: Apache-2.0
# B5: the metadata service as IPv4 mapped into IPv6.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect ::ffff:169.254.169.254 80; }
