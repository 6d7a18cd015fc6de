# SPDX-License-Identifier: Apache-2.0
# A6: a name of a read-only tree moved.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { fresh && attack && fresh; }
attack() { call rename "=$RO/f" "=$RO/g"; }
