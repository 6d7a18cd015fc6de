# SPDX-License-Identifier: Apache-2.0
# A: a file of a denied directory under a second name.
# shellcheck shell=sh disable=SC2034,SC2154
DENY=guarded
EXPECT='errno=(EACCES|EPERM|EXDEV|EROFS)'
EVENT='none'
control() { mkdir -p guarded && echo x >guarded/f && rm -f second && attack && rm -f second; }
attack() { call link =guarded/f =second; }
