# SPDX-License-Identifier: Apache-2.0
# E4: a file of the caller's as the machine's memory.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() {
	dd if=/dev/zero of=swap bs=65536 count=16 2>/dev/null && chmod 600 swap && mkswap swap >/dev/null || { echo SKIP no mkswap; return 1; }
	attack || { echo SKIP this file system takes no swap; return 1; }
	call swapoff "=$WORK/swap"
}
attack() { call swapon "=$WORK/swap" 0; }
