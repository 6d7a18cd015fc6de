# SPDX-License-Identifier: Apache-2.0
# B3: a raw ICMP socket.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|EACCES)'
EVENT='socket FAMILY'
NET=yes
control() { attempt raw; }
attack() { attempt raw; }
