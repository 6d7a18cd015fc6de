# SPDX-License-Identifier: Apache-2.0
# E3: prctl that tells and moves what /proc shows of a process: another program's name, other arguments.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE='seccomp'
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attack || { echo SKIP the kernel has no such call; false; }; }
attack() { call prctl 35 15 @8 0 0; }
