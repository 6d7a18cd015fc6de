# SPDX-License-Identifier: Apache-2.0
# A10: the environment of a process outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='none'
control() { attempt open "/proc/$HOSTPID/environ"; }
attack() { attempt open "/proc/$HOSTPID/environ"; }
