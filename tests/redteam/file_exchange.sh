# SPDX-License-Identifier: Apache-2.0
# A6: RENAME_EXCHANGE: a file inside and one outside change places.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { : >"$WORLD/home/x" && attack; }
attack() { : >y; call renameat2 -100 "=$WORLD/home/x" -100 =y 2; }
