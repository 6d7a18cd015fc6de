# SPDX-License-Identifier: Apache-2.0
# E4: a file of the caller's as the machine's memory.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call swapon =/nonexistent 0); [ "$out" = errno=ENOENT ]; }
attack() { call swapon =/tmp/x 0; }
