# SPDX-License-Identifier: Apache-2.0
# B: devices announced to the host's daemons.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno='
EVENT='socket FAMILY'
control() { attempt socket 16 3 15; }
attack() { attempt socket 16 3 15; }
