# SPDX-License-Identifier: Apache-2.0
# C4: the same over TCP.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='error='
EVENT='connect DEST_UNKNOWN'
control() { probe dns 127.0.0.1 "$DNS" allowed.example A tcp; }
attack() { probe dns "$ADDRESS" "$DNS" allowed.example A tcp; }
