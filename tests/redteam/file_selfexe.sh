# SPDX-License-Identifier: Apache-2.0
# A9: the supervisor's own program, through /proc: whoever has it open can write it later.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|ETXTBSY|ENOENT|EROFS)'
EVENT='none'
control() { first attempt open /proc/1/exe; }
attack() { attempt open /proc/1/exe; }
