# SPDX-License-Identifier: Apache-2.0
# G1: the host's /dev by the root of a process outside, and by its own.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attack; }
attack() { device "/proc/$HOSTPID/root/dev/nvidia61" || device /proc/self/root/../../dev/nvidia61 || device /proc/1/root/dev/nvidia61; }
