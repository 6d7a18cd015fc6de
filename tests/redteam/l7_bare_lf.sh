# SPDX-License-Identifier: Apache-2.0
# D7: lines that end with a line feed alone.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='bad_request|400'
EVENT='http HTTP_BAD'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\nHost: allowed.example\nConnection: close\n\n'; }
attack() { control; }
