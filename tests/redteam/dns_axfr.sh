# SPDX-License-Identifier: Apache-2.0
# C: a whole zone.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='rcode=[0-9]+ answers=0|error='
EVENT='dns NAME_TYPE'
control() { attack; }
attack() { probe dns 127.0.0.1 53 allowed.example AXFR; }
