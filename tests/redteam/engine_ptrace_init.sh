# SPDX-License-Identifier: Apache-2.0
# F: the supervisor is traced.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { sleep 5 & attempt ptrace $!; }
attack() { attempt ptrace 1; }
