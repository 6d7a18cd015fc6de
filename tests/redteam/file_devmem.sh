# SPDX-License-Identifier: Apache-2.0
# E9: the machine's memory as a device.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attempt open /dev/mem || { echo SKIP this machine has no /dev/mem for root; false; }; }
attack() { attempt open /dev/mem; }
