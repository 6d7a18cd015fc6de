# SPDX-License-Identifier: Apache-2.0
# A6: RENAME_EXCHANGE with a file of a read-only tree.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM|EXDEV)'
EVENT='none'
control() { cp /bin/true "$WORLD/home/x" && : >y && call renameat2 -100 "=$WORLD/home/x" -100 =y 2; }
attack() { cp /bin/true y && call renameat2 -100 =/usr/bin/true -100 =y 2; }
