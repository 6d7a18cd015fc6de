# SPDX-License-Identifier: Apache-2.0
# A6: a name of a read-only tree moved.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { echo x >"$WORLD/f" && call rename "=$WORLD/f" "=$WORLD/g"; }
attack() { call rename =/usr/bin/true =/usr/bin/true2; }
