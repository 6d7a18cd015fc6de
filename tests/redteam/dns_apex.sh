# SPDX-License-Identifier: Apache-2.0
# C14: the apex of a wildcard.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=wild
EXPECT='eai='
EVENT='dns NAME_UNKNOWN'
NET=yes
control() { attack; }
attack() { attempt resolve wild.example; }
