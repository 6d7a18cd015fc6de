# SPDX-License-Identifier: Apache-2.0
# A11: a mount.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|ENOSYS)'
EVENT='syscall SYSCALL'
control() { unshare -m "$ATTEMPT" mount /tmp; }
attack() { attempt mount /tmp; }
