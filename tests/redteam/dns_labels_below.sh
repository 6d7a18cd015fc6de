# SPDX-License-Identifier: Apache-2.0
# C1: data in a label below a listed name.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='rcode=[0-9]+ answers=0|error='
EVENT='dns NAME_UNKNOWN'
control() { attack; }
attack() { probe dns 127.0.0.1 53 c2VjcmV0.allowed.example A; }
