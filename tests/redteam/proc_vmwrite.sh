# SPDX-License-Identifier: Apache-2.0
# E3: writing into another process.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call process_vm_writev "$HOSTPID" @16 0 @16 0 0; }
attack() { call process_vm_writev 1 @16 0 @16 0 0; }
