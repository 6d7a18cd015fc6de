# SPDX-License-Identifier: Apache-2.0
# D1: two names in one Host.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='authority|421|bad_request'
EVENT='http AUTHORITY|HTTP_BAD'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example, denied.example\r\nConnection: close\r\n\r\n'; }
attack() { control; }
