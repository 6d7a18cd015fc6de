# SPDX-License-Identifier: Apache-2.0
# C4: DNS in HTTPS to a public resolver.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='resolve'
EVENT='dns NAME_UNKNOWN'
control() { probe dns 127.0.0.1 "$DNS" dns.google A; }
attack() { curl -sS -m 20 --fail "https://dns.google/resolve?name=x"; }
