# SPDX-License-Identifier: Apache-2.0
# A13: open_by_handle_at.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|ENOSYS|EACCES)'
EVENT='syscall SYSCALL'
control() { attempt handle "$WORK"; }
attack() { attempt handle "$WORK"; }
