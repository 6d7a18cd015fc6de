# SPDX-License-Identifier: Apache-2.0
# B12: vsock: no network namespace covers it.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|EACCES|EAFNOSUPPORT)'
EVENT='socket FAMILY'
ALONE='seccomp'
LSM='socket FAMILY'
NET=yes
control() { attempt socket 40 1 0; }
attack() { attempt socket 40 1 0; }
