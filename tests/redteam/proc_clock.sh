# SPDX-License-Identifier: Apache-2.0
# E4: the machine's clock; set to nothing, which changes nothing.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attack; }
attack() { call settimeofday 0 0; }
