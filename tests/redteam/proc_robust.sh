# SPDX-License-Identifier: Apache-2.0
# E3: the robust list of a process outside: an address in it.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM)'
EVENT='none'
control() { call get_robust_list "$HOSTPID" @8 @8; }
attack() { call get_robust_list "$HOSTPID" @8 @8; }
