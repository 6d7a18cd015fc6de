# SPDX-License-Identifier: Apache-2.0
# E9: a program that the kernel starts for a device.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attack || { echo SKIP this machine has no such file for root; false; }; }
attack() { attempt openw /sys/kernel/uevent_helper; }
