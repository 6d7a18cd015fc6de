# SPDX-License-Identifier: Apache-2.0
# A lease on a file in the working directory: whoever opens it for writing outside, an editor or git, waits 45 seconds.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
ALONE='seccomp'
control() { attack; }
attack() { echo x >leased; call fcntl :leased 1024 0; }
