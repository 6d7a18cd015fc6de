# SPDX-License-Identifier: Apache-2.0
# D5: HTTP/2 without TLS, known beforehand.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='400|error=|^$'
EVENT='egress FIRST_BYTES|PLAIN_ON_TLS|http PLAIN_ON_TLS|HTTP_BAD'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
attack() { probe tcp SETTINGS $UP $UPPORT 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00'; }
