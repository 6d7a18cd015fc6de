# SPDX-License-Identifier: Apache-2.0
# C10: the same by broadcast.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='sendmsg UDP'
control() { attack; }
attack() { attempt udp 255.255.255.255 137; }
