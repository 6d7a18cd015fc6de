# SPDX-License-Identifier: Apache-2.0
# D: a version that does not exist.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='bad_request|505|400'
EVENT='http HTTP_BAD|PROTOCOL'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.9\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
attack() { control; }
