# SPDX-License-Identifier: Apache-2.0
# A17: extended attributes of a read-only file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { echo x >"$WORLD/f" && { call setxattr "=$WORLD/f" =user.x =y 1 0 || call setxattr "=$WORLD/f" =trusted.x =y 1 0; }; }
attack() { call setxattr =/usr/bin/true =user.x =y 1 0; }
