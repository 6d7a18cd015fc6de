# SPDX-License-Identifier: Apache-2.0
# D10: TRACE: what is sent comes back, keys and all.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='unsupported_l7_protocol'
EVENT='http REQUEST|HTTP_BAD|PROTOCOL'
control() { probe tls 'done' $UP $UPPORT allowed.example 'TRACE /pub/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
attack() { control; }
