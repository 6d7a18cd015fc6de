# SPDX-License-Identifier: Apache-2.0
# B2: a connected datagram socket (a resolver sorts addresses so; data must not leave).
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='none'
NET=yes
control() { attempt udpconnect "$ADDRESS" "$PORT"; }
attack() { attempt udpconnect "$ADDRESS" "$PORT"; }
