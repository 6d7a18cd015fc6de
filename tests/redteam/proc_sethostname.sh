# SPDX-License-Identifier: Apache-2.0
# E4: the host's name.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { unshare -u "$WORK/call" sethostname =x 1; }
attack() { call sethostname =x 1; }
