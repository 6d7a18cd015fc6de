# SPDX-License-Identifier: Apache-2.0
# C: two questions in one message, of which only the first is looked at elsewhere.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='rcode=[0-9]+ answers=0|error='
EVENT='dns NAME_BAD'
control() { attack; }
attack() { probe dns 127.0.0.1 53 allowed.example A count=2; }
