# SPDX-License-Identifier: Apache-2.0
# G1: a node in a private tree.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|EACCES)'
EVENT='none'
control() { attack && rm -f /dev/shm/gpu; }
attack() { node /dev/shm/gpu 195 61 && device /dev/shm/gpu; }
