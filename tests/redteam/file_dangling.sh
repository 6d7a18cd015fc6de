# SPDX-License-Identifier: Apache-2.0
# A2: a write through a symlink whose target does not exist.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EROFS)'
EVENT='none'
control() { attack && rm "$WORLD/made"; }
attack() { ln -sf "$WORLD/made" dangling; attempt write dangling; }
