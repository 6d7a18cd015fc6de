# SPDX-License-Identifier: Apache-2.0
# A set-group-id program in the working directory: on the host it has the group of the directory, root's or any other, in
# which nobody is who runs it there. Nine ways to make one.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
ALONE='seccomp'
control() { attack; }
attack() { attempt sgid "$WORK"; }
