# SPDX-License-Identifier: Apache-2.0
# A13: a handle by which a file is opened where no path leads.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attempt handle "$WORK"; }
attack() { call name_to_handle_at -100 =/usr @128 @8 0; }
