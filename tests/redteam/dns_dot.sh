# SPDX-License-Identifier: Apache-2.0
# C4: DNS in TLS to a public resolver.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='error='
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { probe tls HTTP 1.1.1.1 853 dns.example "GET / HTTP/1.1\r\nHost: dns.example\r\nConnection: close\r\n\r\n"; }
