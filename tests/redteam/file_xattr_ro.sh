# SPDX-License-Identifier: Apache-2.0
# A17: extended attributes of a read-only file.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE='view'
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { fresh && { attack && fresh || { echo SKIP this file system has none; false; }; }; }
attack() { call setxattr "=$RO/f" =user.x =y 1 0; }
