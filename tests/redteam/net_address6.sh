# SPDX-License-Identifier: Apache-2.0
# B1: the same over IPv6, to a service of the host's loopback.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|ECONNREFUSED)'
EVENT='connect DEST_UNKNOWN|ALLOWED'
NET=yes
control() { attempt connect ::1 "$TLS6"; }
attack() { attempt connect fd00:ec2::254 80; attempt connect ::1 "$TLS6"; }
