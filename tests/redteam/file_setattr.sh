# SPDX-License-Identifier: Apache-2.0
# A17: the flags of a read-only file, by its path alone (Linux 6.17).
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOSYS|EROFS|EACCES|EPERM)'
EVENT='none'
control() { fresh && { attack && fresh || { echo SKIP this kernel or file system has no such call; false; }; }; }
attack() { call file_setattr -100 "=$RO/f" @24 24 0; }
