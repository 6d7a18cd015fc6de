# SPDX-License-Identifier: Apache-2.0
# A: the super-user's home.
# shellcheck shell=sh disable=SC2034,SC2154,SC2010
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attempt list /root; }
attack() { ls -A /root 2>/dev/null | grep -q . && exit 0; attempt open /root/.bashrc; }
