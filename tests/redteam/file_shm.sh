# SPDX-License-Identifier: Apache-2.0
# A: files of others in /dev/shm.
# shellcheck shell=sh disable=SC2034,SC2154,SC2010
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attempt list /dev/shm; }
attack() { ls -A /dev/shm 2>&1 | grep -q . && exit 0; attempt open /dev/shm/osh-none; }
