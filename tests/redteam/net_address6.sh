# SPDX-License-Identifier: Apache-2.0
# B1: the same over IPv6.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EACCES'
EVENT='connect DEST_UNKNOWN'
NET=yes
control() { attack; }
attack() { attempt connect fd00:ec2::1 443; }
