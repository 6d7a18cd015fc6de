# SPDX-License-Identifier: Apache-2.0
# D25: SSH on a port for TLS.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='error=|^$|bad_request'
EVENT='egress FIRST_BYTES|PLAIN_ON_TLS'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
attack() { probe tcp SSH $UP $UPPORT 'SSH-2.0-x\r\n'; }
