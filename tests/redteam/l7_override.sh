# SPDX-License-Identifier: Apache-2.0
# D10: a field that makes another method of an allowed one: it does not arrive.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='done DELETE|the public page'
EVENT='http ALLOWED'
control() { probe tls 'done DELETE' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example\r\nX-HTTP-Method-Override: DELETE\r\nConnection: close\r\n\r\n'; }
attack() { control; }
