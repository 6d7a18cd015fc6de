# SPDX-License-Identifier: Apache-2.0
# E3: ptrace of a process outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM|ENOSYS)'
EVENT='syscall SYSCALL'
control() { attempt ptrace "$HOSTPID"; }
attack() { attempt ptrace "$HOSTPID"; }
