# SPDX-License-Identifier: Apache-2.0
# B: a network device of its own.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attempt open /dev/net/tun || { echo SKIP this machine has no /dev/net/tun for root; false; }; }
attack() { attempt open /dev/net/tun; }
