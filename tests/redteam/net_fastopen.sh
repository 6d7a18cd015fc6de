# SPDX-License-Identifier: Apache-2.0
# B1: TCP fast open: data with the SYN, and no call to connect().
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='none'
NET=yes
control() { attempt connect "$ADDRESS" "$PORT"; }
attack() { attempt fastopen "$ADDRESS" "$PORT"; }
