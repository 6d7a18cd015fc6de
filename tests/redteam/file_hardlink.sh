# SPDX-License-Identifier: Apache-2.0
# A: a second name inside for a file outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { rm -f name && call link "=$SECRET" =name && rm -f name; }
attack() { call link "=$SECRET" =name; }
