# SPDX-License-Identifier: Apache-2.0
# B3: ping over IPv6.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='socket FAMILY'
control() { attack; }
attack() { attempt socket 10 2 58; }
