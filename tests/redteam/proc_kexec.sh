# SPDX-License-Identifier: Apache-2.0
# E4: another kernel: none, which takes a prepared one away.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attack || { echo SKIP the kernel has no such call; false; }; }
attack() { call kexec_load 0 0 0 0; }
