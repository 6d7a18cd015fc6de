# SPDX-License-Identifier: Apache-2.0
# E10: lines put into the kernel's log.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attempt openw /dev/kmsg || { echo SKIP this machine has no /dev/kmsg for root; false; }; }
attack() { attempt openw /dev/kmsg; }
