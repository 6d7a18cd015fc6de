# SPDX-License-Identifier: Apache-2.0
# D7: a transfer encoding that only one of two readers knows.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='bad_request|501|400'
EVENT='http HTTP_BAD'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\nTransfer-Encoding: xchunked\r\nConnection: close\r\n\r\n0\r\n\r\n'; }
attack() { control; }
