# SPDX-License-Identifier: Apache-2.0
# E4: a key asked for, which starts a program outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call request_key =user =osh-none =x -2); [ "$out" = errno=ENOKEY ] || [ "$out" = errno=ENOENT ]; }
attack() { call request_key =user =osh-none = -2; }
