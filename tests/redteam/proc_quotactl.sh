# SPDX-License-Identifier: Apache-2.0
# E4: quotas of the file systems.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attack || { echo SKIP the kernel has no quotas; false; }; }
attack() { call quotactl 0x800001 0 0 0; }
