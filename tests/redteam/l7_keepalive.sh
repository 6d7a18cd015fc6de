# SPDX-License-Identifier: Apache-2.0
# D: a second request on the same connection, after the first one's answer.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='policy_denied'
EVENT='http REQUEST_DENIED'
control() { probe tls 'the private page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\n\r\n' 'GET /pub/private/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
attack() { control; }
