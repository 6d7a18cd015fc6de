# SPDX-License-Identifier: Apache-2.0
# A9: the supervisor's own program, through /proc.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|ETXTBSY|ENOENT|EROFS)'
EVENT='none'
control() { cp /bin/sleep s && { ./s 5 & p=$!; sleep 0.3; attempt open /proc/$p/exe; }; }
attack() { attempt openw /proc/1/exe; }
