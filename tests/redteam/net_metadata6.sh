# SPDX-License-Identifier: Apache-2.0
# B5: the metadata service over IPv6.
# shellcheck shell=sh disable=SC2034,SC2154
NET=yes
EXPECT='errno='
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect fd00:ec2::254 80; }
