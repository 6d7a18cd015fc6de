# SPDX-License-Identifier: Apache-2.0
# A10: the supervisor's memory.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|ENOENT|EROFS)'
EVENT='none'
control() { attempt open "/proc/$HOSTPID/maps"; }
attack() { attempt openw /proc/1/mem; }
