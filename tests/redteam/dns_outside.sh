# SPDX-License-Identifier: Apache-2.0
# B2: a resolver outside, by its address.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='error='
EVENT='sendmsg UDP|connect UDP'
control() { attack; }
attack() { probe dns "$ADDRESS" "$DNS" allowed.example A; }
