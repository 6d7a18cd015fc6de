# SPDX-License-Identifier: Apache-2.0
# E4: the kernel's log, with addresses and other people's doings.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call syslog 3 @4096 4096; }
attack() { call syslog 3 @4096 4096; }
