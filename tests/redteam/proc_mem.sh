# SPDX-License-Identifier: Apache-2.0
# E3: the memory of another program of the same uid, through /proc: with it goes its identity.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EROFS)'
EVENT='none'
control() { sleep 5 & attempt openw "/proc/$!/mem"; }
attack() { sleep 5 & attempt openw "/proc/$!/mem"; }
