# SPDX-License-Identifier: Apache-2.0
# A17: the mode of a read-only file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { echo x >"$WORLD/f" && call chmod "=$WORLD/f" 0777; }
attack() { call chmod =/usr/bin/true 0777; }
