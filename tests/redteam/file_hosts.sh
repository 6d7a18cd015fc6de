# SPDX-License-Identifier: Apache-2.0
# C10: the host's /etc/hosts.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { attempt openw /etc/hosts; }
attack() { attempt openw /etc/hosts; }
