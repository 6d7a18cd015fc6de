# SPDX-License-Identifier: Apache-2.0
# B13: io_uring, whose calls no syscall filter sees.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|ENOSYS)'
EVENT='syscall SYSCALL'
ALONE='seccomp'
LSM='task KERNEL'
control() { attempt uring; }
attack() { attempt uring; }
