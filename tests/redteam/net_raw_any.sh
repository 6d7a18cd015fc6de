# SPDX-License-Identifier: Apache-2.0
# B12: IP packets of its own making.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='socket FAMILY'
control() { attempt socket 2 3 255; }
attack() { attempt socket 2 3 255; }
