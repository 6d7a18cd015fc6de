# SPDX-License-Identifier: Apache-2.0
# C4: the same over TCP.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='error='
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { probe dns "$ADDRESS" "$DNS" allowed.example A tcp; }
