# SPDX-License-Identifier: Apache-2.0
# A11: a tmpfs over a read-only tree.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { unshare -m "$ATTEMPT" mount /usr; }
attack() { attempt mount /usr; }
