# SPDX-License-Identifier: Apache-2.0
# E4: segments of its own: a large piece of kernel that nothing needs.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call modify_ldt 0 @64 64; }
attack() { call modify_ldt 0 @64 64; }
