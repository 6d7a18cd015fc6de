# SPDX-License-Identifier: Apache-2.0
# D1: a Host with another port.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='authority|421|bad_request'
EVENT='http AUTHORITY|HTTP_BAD'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: allowed.example:8443\r\nConnection: close\r\n\r\n'; }
attack() { control; }
