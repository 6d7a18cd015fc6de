# SPDX-License-Identifier: Apache-2.0
# A6: a file inside moved to a place outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attack; }
attack() { : >mine && call rename =mine "=$WORLD/home/mine"; }
