# SPDX-License-Identifier: Apache-2.0
# C4: DNS over QUIC.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EACCES'
EVENT='sendmsg UDP'
control() { attack; }
attack() { attempt udp 9.9.9.9 853; }
