# SPDX-License-Identifier: Apache-2.0
# D1: TLS that asks for another name.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='error=|alert|EOF'
EVENT='egress TLS_SNI'
control() { probe tls 'the public page' $UP $UPPORT denied.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
attack() { control; }
