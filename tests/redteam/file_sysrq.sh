# SPDX-License-Identifier: Apache-2.0
# E9: a write to a kernel setting.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|ENOENT|EPERM)'
EVENT='none'
control() { test -w /proc/sys/kernel/core_pattern; }
attack() { attempt write /proc/sys/kernel/core_pattern; }
