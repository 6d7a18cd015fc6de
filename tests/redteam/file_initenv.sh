# SPDX-License-Identifier: Apache-2.0
# A10: the supervisor's environment.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|ENOENT)'
EVENT='none'
control() { first attempt open /proc/1/environ; }
attack() { attempt open /proc/1/environ; }
