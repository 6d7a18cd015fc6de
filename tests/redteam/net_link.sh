# SPDX-License-Identifier: Apache-2.0
# B: the loopback device taken down, and its filter with it.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=caps
EXPECT='not permitted|denied|Cannot|not supported'
EVENT='none'
control() { unshare -n sh -c "ip link set lo up && ip link set lo down"; }
attack() { ip link set lo down; }
