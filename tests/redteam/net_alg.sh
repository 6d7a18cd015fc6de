# SPDX-License-Identifier: Apache-2.0
# B12: the kernel crypto socket.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|EACCES|EAFNOSUPPORT)'
EVENT='socket FAMILY'
control() { attempt socket 38 5 0 || { echo SKIP the kernel has none; false; }; }
attack() { attempt socket 38 5 0; }
