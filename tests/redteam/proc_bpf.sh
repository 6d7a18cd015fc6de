# SPDX-License-Identifier: Apache-2.0
# E4: bpf().
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|ENOSYS)'
EVENT='syscall SYSCALL'
control() { attempt bpf; }
attack() { attempt bpf; }
