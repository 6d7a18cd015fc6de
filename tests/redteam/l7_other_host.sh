# SPDX-License-Identifier: Apache-2.0
# D1: another Host than the one connected to.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='authority|421'
EVENT='http AUTHORITY'
control() { probe tls 'the public page' $UP $UPPORT allowed.example 'GET /pub/page HTTP/1.1\r\nHost: denied.example\r\nConnection: close\r\n\r\n'; }
attack() { control; }
