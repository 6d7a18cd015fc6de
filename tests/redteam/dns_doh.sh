# SPDX-License-Identifier: Apache-2.0
# C4: DNS in HTTPS to a public resolver.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='resolve'
EVENT='dns NAME_UNKNOWN'
control() { attack; }
attack() { curl -sSk -m 20 "https://dns.google/resolve?name=x"; }
