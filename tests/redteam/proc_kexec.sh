# SPDX-License-Identifier: Apache-2.0
# E4: another kernel.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call kexec_load 0 0 0 0); [ "$out" != errno=ENOSYS ] || { echo SKIP the kernel has no such call; false; }; }
attack() { call kexec_load 0 0 0 0; }
