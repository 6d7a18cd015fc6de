# SPDX-License-Identifier: Apache-2.0
# B2: a datagram without connect().
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EACCES'
EVENT='sendmsg UDP'
NET=yes
control() { attempt udp "$ADDRESS" "$PORT"; }
attack() { attempt udp "$ADDRESS" "$PORT"; }
