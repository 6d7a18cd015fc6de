# SPDX-License-Identifier: Apache-2.0
# A set-uid program in the working directory: harmless inside, but on the host it has the identity of the
# directory's owner, which is root where root called. Nine ways to make one.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
ALONE='seccomp'
control() { attack; }
attack() { attempt suid "$WORK"; }
