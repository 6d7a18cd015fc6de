# SPDX-License-Identifier: Apache-2.0
# A6: RENAME_EXCHANGE with a file of a read-only tree.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM|EXDEV)'
EVENT='none'
control() { fresh && attack && fresh; }
attack() { : >y && call renameat2 -100 "=$RO/f" -100 =y 2; }
