# SPDX-License-Identifier: Apache-2.0
# B1: an IPv4 address in IPv6 clothes (::ffff:a.b.c.d).
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EACCES'
EVENT='connect DEST_UNKNOWN'
NET=yes
control() { attempt connect "::ffff:$ADDRESS" "$PORT"; }
attack() { attempt connect "::ffff:$ADDRESS" "$PORT"; }
