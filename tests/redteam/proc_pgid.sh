# SPDX-License-Identifier: Apache-2.0
# E3: which process groups live outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM)'
EVENT='none'
control() { call getpgid "$HOSTPID"; }
attack() { call getpgid "$HOSTPID"; }
