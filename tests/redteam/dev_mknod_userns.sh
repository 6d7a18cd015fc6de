# SPDX-License-Identifier: Apache-2.0
# G1: a node made by who is root in a user namespace of its own. (The control is root's own: no user namespace ever may.)
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='not permitted|errno=(EPERM|EACCES)'
EVENT='syscall SYSCALL'
control() { node gpu 195 61 && device gpu && rm -f gpu; }
attack() { unshare -Ur sh -c 'mknod gpu c 195 61' && device gpu; }
