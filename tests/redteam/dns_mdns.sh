# SPDX-License-Identifier: Apache-2.0
# C10: the neighbours are asked, by multicast.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='sendmsg UDP'
control() { attack; }
attack() { attempt udp 224.0.0.251 5353; }
