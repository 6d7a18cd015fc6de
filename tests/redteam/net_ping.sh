# SPDX-License-Identifier: Apache-2.0
# B3: an ICMP echo socket, which needs no capability where the group range allows it.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|EACCES)'
EVENT='socket FAMILY'
NET=yes
control() { attack; }
attack() { attempt ping; }
