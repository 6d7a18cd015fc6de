# SPDX-License-Identifier: Apache-2.0
# D10: the same, one that writes.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='policy_denied|bad_request'
EVENT='http REQUEST|TARGET_BAD|HTTP_BAD'
control() { probe tls 'done' $UP $UPPORT allowed.example 'PUT /pub/page HTTP/1.1\r\nHost: allowed.example\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx'; }
attack() { control; }
