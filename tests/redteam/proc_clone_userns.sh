# SPDX-License-Identifier: Apache-2.0
# A12: a user namespace by clone, not by unshare. Outside the child ends at once.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attack; }
attack() { call clone 0x10000011 0 0 0 0; }
