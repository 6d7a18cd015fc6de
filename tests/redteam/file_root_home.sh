# SPDX-License-Identifier: Apache-2.0
# A: the super-user's home.
# shellcheck shell=sh disable=SC2034,SC2154,SC2010
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attack; }
attack() { attempt list /root; }
