# SPDX-License-Identifier: Apache-2.0
# D4: HTTP/2 with another authority than the connection's.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='authority|policy_denied'
EVENT='http AUTHORITY'
control() { curl -sS -m 20 --fail --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" -H "Host: denied.example" https://allowed.example/pub/page; }
attack() { curl -sS -m 20 --fail-with-body --http2 -H "Host: denied.example" https://allowed.example/pub/page; }
