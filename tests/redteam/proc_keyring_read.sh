# SPDX-License-Identifier: Apache-2.0
# E4: the keyrings that user sessions share.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { call keyctl 0 -4 0; }
attack() { call keyctl 0 -4 0; }
