# SPDX-License-Identifier: Apache-2.0
# A17: the times of a read-only file, by which builds go.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { echo x >"$WORLD/f" && call utimensat -100 "=$WORLD/f" 0 0; }
attack() { call utimensat -100 =/usr/bin/true 0 0; }
