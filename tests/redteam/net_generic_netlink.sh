# SPDX-License-Identifier: Apache-2.0
# B: wireless, tunnels and other settings.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno='
EVENT='socket FAMILY'
control() { attempt socket 16 3 16; }
attack() { attempt socket 16 3 16; }
