# SPDX-License-Identifier: Apache-2.0
# A17: the owner of a read-only file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { echo x >"$WORLD/f" && call chown "=$WORLD/f" 1 1; }
attack() { call chown =/usr/bin/true 1 1; }
