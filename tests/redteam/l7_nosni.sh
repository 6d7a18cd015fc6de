# SPDX-License-Identifier: Apache-2.0
# D3: TLS without a name.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='error=|alert|EOF'
EVENT='egress TLS_SNI'
control() { probe tls 'the public page' $UP $UPPORT "" 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
attack() { control; }
