# SPDX-License-Identifier: Apache-2.0
# C1: data in the labels of a name that is not listed.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='eai='
EVENT='dns NAME_UNKNOWN'
NET=yes
control() { attack; }
attack() { attempt resolve c2VjcmV0.denied.example; }
