# SPDX-License-Identifier: Apache-2.0
# C10: the neighbours by IPv6 multicast.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='sendmsg UDP'
control() { attack; }
attack() { attempt udp ff02::fb 5353; }
