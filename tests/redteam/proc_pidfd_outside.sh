# SPDX-License-Identifier: Apache-2.0
# E2: a descriptor of a process outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM|EACCES|EINVAL)'
EVENT='none'
control() { call pidfd_open "$HOSTPID" 0; }
attack() { call pidfd_open "$HOSTPID" 0; }
