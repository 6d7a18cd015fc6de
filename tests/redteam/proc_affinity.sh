# SPDX-License-Identifier: Apache-2.0
# E2: the processors of a process outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM)'
EVENT='none'
control() { call sched_setaffinity "$HOSTPID" 8 =11111111; }
attack() { call sched_setaffinity "$HOSTPID" 8 =11111111; }
