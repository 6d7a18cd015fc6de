# SPDX-License-Identifier: Apache-2.0
# E9: block devices out of files.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attempt open /dev/loop-control || { echo SKIP this machine has no /dev/loop-control for root; false; }; }
attack() { attempt open /dev/loop-control; }
