# SPDX-License-Identifier: Apache-2.0
# A17: the owner of a read-only file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { fresh && attack && fresh; }
attack() { call chown "=$RO/f" 1 1; }
