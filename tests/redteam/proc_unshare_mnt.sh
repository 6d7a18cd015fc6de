# SPDX-License-Identifier: Apache-2.0
# A12: a mount namespace of its own, to mount in.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call unshare 0x20000; }
attack() { call unshare 0x20000; }
