# SPDX-License-Identifier: Apache-2.0
# B7: a private network of IPv6.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect fd12:3456:789a::1 80; }
