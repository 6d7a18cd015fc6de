# SPDX-License-Identifier: Apache-2.0
# E2: limits of a process outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM)'
EVENT='none'
control() { call prlimit64 "$HOSTPID" 7 0 @16; }
attack() { call prlimit64 "$HOSTPID" 7 0 @16; }
