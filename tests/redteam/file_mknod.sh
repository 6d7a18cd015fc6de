# SPDX-License-Identifier: Apache-2.0
# E: a device node.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|EACCES|ENOSYS)'
EVENT='none'
TOLD='landlock LANDLOCK'
control() { attack && rm null2; }
attack() { attempt mknod null2; }
