# SPDX-License-Identifier: Apache-2.0
# E4: process accounting into a file of the caller's.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call acct 0; }
attack() { call acct 0; }
