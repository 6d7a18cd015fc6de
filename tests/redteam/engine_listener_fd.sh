# SPDX-License-Identifier: Apache-2.0
# F: the descriptor by which refused calls are answered.
# shellcheck shell=sh disable=SC2034,SC2154,SC2010
EXPECT='errno=ENOENT'
EVENT='none'
control() { ls -l /proc/self/fd | grep -q /; }
attack() { ls -l /proc/self/fd /proc/1/fd 2>/dev/null | grep -q seccomp && exit 0; echo errno=ENOENT; false; }
