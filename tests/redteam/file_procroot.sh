# SPDX-License-Identifier: Apache-2.0
# A8: /proc/1/root and its descriptors.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { first attempt open "/proc/1/root$SECRET"; }
attack() { attempt open "/proc/1/root$SECRET"; }
