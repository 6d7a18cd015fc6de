# SPDX-License-Identifier: Apache-2.0
# B2: a datagram over IPv6.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='sendmsg UDP'
control() { attack; }
attack() { attempt udp 2001:db8::1 9999; }
