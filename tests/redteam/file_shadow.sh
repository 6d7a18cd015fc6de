# SPDX-License-Identifier: Apache-2.0
# A: a file of the host that is readable by root alone.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='none'
control() { attempt open /etc/shadow; }
attack() { attempt open /etc/shadow; }
