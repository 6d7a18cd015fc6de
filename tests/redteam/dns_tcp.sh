# SPDX-License-Identifier: Apache-2.0
# C4: DNS over TCP.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='none'
NET=yes
control() { attack; }
attack() { attempt connect 192.0.2.53 53; }
