# SPDX-License-Identifier: Apache-2.0
# E4: a key in a keyring.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|ENOSYS)'
EVENT='syscall SYSCALL'
ALONE='seccomp'
LSM='task KERNEL'
control() { attempt keyctl; }
attack() { attempt keyctl; }
