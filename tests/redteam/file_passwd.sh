# SPDX-License-Identifier: Apache-2.0
# E1: another password file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { attempt openw /etc/passwd; }
attack() { attempt openw /etc/passwd; }
