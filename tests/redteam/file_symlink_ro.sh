# SPDX-License-Identifier: Apache-2.0
# A6: a link made in a read-only tree.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { rm -f "$WORLD/l" && call symlink =x "=$WORLD/l"; }
attack() { call symlink =/tmp/evil =/usr/bin/osh-evil; }
