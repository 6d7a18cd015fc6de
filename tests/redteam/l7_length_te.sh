# SPDX-License-Identifier: Apache-2.0
# D7: a length and chunks.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='bad_request|400'
EVENT='http HTTP_BAD'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n'; }
attack() { control; }
