# SPDX-License-Identifier: Apache-2.0
# A: the copies that are made of /etc/shadow.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attack; }
attack() { attempt open /etc/shadow-; }
