# SPDX-License-Identifier: Apache-2.0
# F: the record of what it did.
# shellcheck shell=sh disable=SC2034,SC2154,SC2010
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { ls "$WORLD" | grep -q log; }
attack() { ls "$WORLD" | grep -v "^work$" | grep -q . && exit 0; echo errno=ENOENT; false; }
