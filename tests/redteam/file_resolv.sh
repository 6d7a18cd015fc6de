# SPDX-License-Identifier: Apache-2.0
# C10: which resolver is asked.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { attempt openw /etc/resolv.conf; }
attack() { attempt openw /etc/resolv.conf; }
