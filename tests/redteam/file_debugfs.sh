# SPDX-License-Identifier: Apache-2.0
# E9: the kernel's debugging files.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attempt list /sys/kernel/debug || { echo SKIP this machine has no /sys/kernel/debug for root; false; }; }
attack() { attempt list /sys/kernel/debug; }
