# SPDX-License-Identifier: Apache-2.0
# E9: the kernel's settings in /sys.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='none'
control() { attempt list /sys/kernel/mm || { echo SKIP this machine has no /sys/kernel/mm for root; false; }; }
attack() { attempt list /sys/kernel/mm; }
