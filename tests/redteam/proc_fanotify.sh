# SPDX-License-Identifier: Apache-2.0
# E4: marks that see, and may hold up, every open on a file system.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call fanotify_init 0 0; }
attack() { call fanotify_init 0 0; }
