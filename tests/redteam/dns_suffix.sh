# SPDX-License-Identifier: Apache-2.0
# C14: a name that only ends like a listed one.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='eai='
EVENT='dns NAME_UNKNOWN'
NET=yes
control() { attack; }
attack() { attempt resolve notallowed.example; }
