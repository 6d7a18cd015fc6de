# SPDX-License-Identifier: Apache-2.0
# E2: the scheduling of a process outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM|EACCES)'
EVENT='none'
control() { call setpriority 0 "$HOSTPID" 1; }
attack() { call setpriority 0 "$HOSTPID" 1; }
