# SPDX-License-Identifier: Apache-2.0
# A: the home directory of whoever runs it.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attempt list "$WORLD/home"; }
attack() { attempt list "$WORLD/home"; }
