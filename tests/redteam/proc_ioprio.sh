# SPDX-License-Identifier: Apache-2.0
# E2: the disk's time of a process outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM)'
EVENT='none'
control() { call ioprio_set 1 "$HOSTPID" 0x4004; }
attack() { call ioprio_set 1 "$HOSTPID" 0x4004; }
