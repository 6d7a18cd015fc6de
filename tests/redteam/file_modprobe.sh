# SPDX-License-Identifier: Apache-2.0
# E9: a program that the kernel starts to load a module.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attempt openw /proc/sys/kernel/modprobe || { echo SKIP this machine has no /proc/sys/kernel/modprobe for root; false; }; }
attack() { attempt openw /proc/sys/kernel/modprobe; }
