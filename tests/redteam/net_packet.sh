# SPDX-License-Identifier: Apache-2.0
# B12: a packet socket.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|EACCES|EAFNOSUPPORT)'
EVENT='socket FAMILY'
NET=yes
control() { attempt packet; }
attack() { attempt packet; }
