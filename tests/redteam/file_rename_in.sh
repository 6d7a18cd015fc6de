# SPDX-License-Identifier: Apache-2.0
# A6: a file outside moved to a place inside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { : >"$WORLD/home/theirs" && attack && rm theirs && : >"$WORLD/home/theirs"; }
attack() { call rename "=$WORLD/home/theirs" =theirs; }
