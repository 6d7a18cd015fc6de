# SPDX-License-Identifier: Apache-2.0
# B24: a library for every program that starts.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attack && rm /etc/ld.so.preload; }
attack() { attempt write /etc/ld.so.preload; }
