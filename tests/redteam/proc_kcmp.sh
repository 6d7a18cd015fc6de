# SPDX-License-Identifier: Apache-2.0
# E3: kcmp shows what other processes share, and where the kernel keeps it.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM|EACCES|ENOSYS)'
EVENT='none'
control() { call kcmp "$HOSTPID" "$HOSTPID" 0; }
attack() { call kcmp "$HOSTPID" "$HOSTPID" 0; }
