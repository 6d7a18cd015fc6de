# SPDX-License-Identifier: Apache-2.0
# A6: a denied directory exchanged with one of its own.
# shellcheck shell=sh disable=SC2034,SC2154
DENY=guarded
EXPECT='errno=(EBUSY|EACCES|EPERM|EXDEV|EROFS)'
EVENT='none'
control() { mkdir -p guarded own && call renameat2 -100 =guarded -100 =own 2; }
attack() { mkdir -p own; call renameat2 -100 =guarded -100 =own 2; }
