# SPDX-License-Identifier: Apache-2.0
# A10: the supervisor's memory.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|ENOENT|EROFS)'
EVENT='none'
control() { first attempt openw /proc/1/mem; }
attack() { attempt openw /proc/1/mem; }
