# SPDX-License-Identifier: Apache-2.0
# B: a route.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=caps
EXPECT='not permitted|denied|Cannot|not supported'
EVENT='none'
control() { unshare -n sh -c "ip link set lo up && ip route add 203.0.113.0/24 dev lo"; }
attack() { ip route add 203.0.113.0/24 dev lo; }
