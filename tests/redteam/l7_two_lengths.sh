# SPDX-License-Identifier: Apache-2.0
# D7: two lengths.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='bad_request|400'
EVENT='http HTTP_BAD'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 0\r\nContent-Length: 5\r\nConnection: close\r\n\r\n'; }
attack() { control; }
