# SPDX-License-Identifier: Apache-2.0
# B12: multipath TCP: further subflows would join elsewhere.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='none'
NET=yes
control() { attempt mptcp "$ADDRESS" "$PORT"; }
attack() { attempt mptcp "$ADDRESS" "$PORT"; }
