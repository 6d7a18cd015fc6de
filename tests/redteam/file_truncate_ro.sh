# SPDX-License-Identifier: Apache-2.0
# A17: truncate(), which is no open, of a read-only file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { fresh && attack && fresh; }
attack() { call truncate "=$RO/f" 0; }
