# SPDX-License-Identifier: Apache-2.0
# D1: no Host at all.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='bad_request|authority'
EVENT='http HTTP_BAD|AUTHORITY'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nConnection: close\r\n\r\n'; }
attack() { control; }
