# SPDX-License-Identifier: Apache-2.0
# E9: the kernel's log as a file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attempt open /proc/kmsg || { echo SKIP this machine has no /proc/kmsg for root; false; }; }
attack() { attempt open /proc/kmsg; }
