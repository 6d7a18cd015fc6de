# SPDX-License-Identifier: Apache-2.0
# A: files of others in /dev/shm.
# shellcheck shell=sh disable=SC2034,SC2154,SC2010
ALONE='view'
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attack; }
attack() { attempt open /dev/shm/osh-redteam; }
