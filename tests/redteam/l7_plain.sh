# SPDX-License-Identifier: Apache-2.0
# D: plain HTTP on a port for TLS.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='400|PLAIN|plain'
EVENT='egress PLAIN_ON_TLS|http PLAIN_ON_TLS'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
attack() { probe tcp 'the public page' $UP $UPPORT 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
