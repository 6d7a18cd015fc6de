# SPDX-License-Identifier: Apache-2.0
# E9: a program that the kernel starts, as root, when something crashes.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attempt openw /proc/sys/kernel/core_pattern || { echo SKIP this machine has no /proc/sys/kernel/core_pattern for root; false; }; }
attack() { attempt openw /proc/sys/kernel/core_pattern; }
