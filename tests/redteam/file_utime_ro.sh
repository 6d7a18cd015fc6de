# SPDX-License-Identifier: Apache-2.0
# A17: the times of a read-only file, by which builds go.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE='view'
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { fresh && attack && fresh; }
attack() { call utimensat -100 "=$RO/f" 0 0; }
