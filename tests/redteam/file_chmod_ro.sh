# SPDX-License-Identifier: Apache-2.0
# A17: the mode of a read-only file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { fresh && attack && fresh; }
attack() { call chmod "=$RO/f" 0777; }
