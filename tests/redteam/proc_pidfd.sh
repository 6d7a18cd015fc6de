# SPDX-License-Identifier: Apache-2.0
# E2: a pidfd of a process outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM|ENOSYS)'
EVENT='none'
control() { attempt pidfd "$HOSTPID"; }
attack() { attempt pidfd "$HOSTPID"; }
