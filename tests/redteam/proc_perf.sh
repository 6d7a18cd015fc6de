# SPDX-License-Identifier: Apache-2.0
# E4: perf_event_open().
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|EACCES|ENOSYS)'
EVENT='syscall SYSCALL'
ALONE='seccomp'
LSM='task KERNEL'
control() { attempt perf; }
attack() { attempt perf; }
