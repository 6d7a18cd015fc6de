# SPDX-License-Identifier: Apache-2.0
# D: a whole URL of another host in the first line.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='authority|421|bad_request'
EVENT='http AUTHORITY|HTTP_BAD|TARGET_BAD'
control() { probe tls 'HTTP/1' $UP $UPPORT allowed.example 'GET https://denied.example/pub/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
attack() { probe tls '200 OK' $UP $UPPORT allowed.example 'GET https://denied.example/pub/page HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\n\r\n'; }
