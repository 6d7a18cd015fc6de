# SPDX-License-Identifier: Apache-2.0
# D9: a letter of the denied path, encoded.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='policy_denied|bad_request'
EVENT='http REQUEST_DENIED|REQUEST|TARGET_BAD'
control() { probe tls 'the private page' $UP $UPPORT allowed.example 'GET /pub/%70rivate/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
attack() { control; }
