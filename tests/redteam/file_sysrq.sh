# SPDX-License-Identifier: Apache-2.0
# E9: orders to the kernel, such as to stop.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|ENOENT|EPERM)'
EVENT='none'
control() { attack || { echo SKIP this kernel has no such file; false; }; }
attack() { attempt openw /proc/sysrq-trigger; }
