# SPDX-License-Identifier: Apache-2.0
# A12: a user namespace of its own.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|ENOSYS|ENOSPC)'
EVENT='syscall SYSCALL'
ALONE='seccomp'
LSM='task USERNS'
control() { attempt unshare user; }
attack() { attempt unshare user; }
