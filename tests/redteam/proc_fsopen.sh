# SPDX-License-Identifier: Apache-2.0
# E4: the new mount interface.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|ENOSYS)'
EVENT='syscall SYSCALL'
control() { attempt fsopen; }
attack() { attempt fsopen; }
