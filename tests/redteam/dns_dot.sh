# SPDX-License-Identifier: Apache-2.0
# C4: DNS in TLS to a public resolver.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='error='
EVENT='connect DEST_UNKNOWN'
control() { probe dns 127.0.0.1 "$DNS" allowed.example A tcp; }
attack() { probe tcp "" 1.1.1.1 853 x; }
