# SPDX-License-Identifier: Apache-2.0
# A6: a link made in a read-only tree.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { fresh && attack && fresh; }
attack() { call symlink =/tmp/evil "=$RO/l"; }
