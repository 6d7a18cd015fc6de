# SPDX-License-Identifier: Apache-2.0
# A24: a file system of its own, which can hold up whoever looks.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attempt open /dev/fuse || { echo SKIP this machine has no /dev/fuse for root; false; }; }
attack() { attempt open /dev/fuse; }
