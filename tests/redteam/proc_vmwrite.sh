# SPDX-License-Identifier: Apache-2.0
# E3: writing into another process.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
LSM='task TRACED'
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attack; }
attack() { sleep 5 & call process_vm_writev $! @16 0 @16 0 0; }
