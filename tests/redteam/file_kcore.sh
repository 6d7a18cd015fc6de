# SPDX-License-Identifier: Apache-2.0
# E9: the machine's memory as a file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attempt open /proc/kcore || { echo SKIP this machine has no /proc/kcore for root; false; }; }
attack() { attempt open /proc/kcore; }
