# SPDX-License-Identifier: Apache-2.0
# C4: a query sent to a resolver elsewhere.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EACCES'
EVENT='sendmsg UDP'
NET=yes
control() { attack; }
attack() { attempt udp 192.0.2.53 53; }
