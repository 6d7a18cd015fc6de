# SPDX-License-Identifier: Apache-2.0
# B12: audit netlink; netlink other than reading routes.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|EACCES|EAFNOSUPPORT|EPROTONOSUPPORT|ENOSYS)'
EVENT='socket FAMILY'
ALONE='seccomp'
LSM='socket FAMILY'
control() { attempt socket 16 3 9; }
attack() { attempt socket 16 3 9; }
