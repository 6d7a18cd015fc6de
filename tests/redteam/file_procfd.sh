# SPDX-License-Identifier: Apache-2.0
# A8: a directory reopened through /proc/self/fd and left by dots.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { exec 9<"$WORK" && attempt open /proc/self/fd/9/../home/.ssh/id_ed25519; }
attack() { control; }
