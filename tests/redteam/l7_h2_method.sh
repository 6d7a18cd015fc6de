# SPDX-License-Identifier: Apache-2.0
# D10: HTTP/2 with another method.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='policy_denied'
EVENT='http REQUEST'
control() { curl -sS -m 20 --fail --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" -X DELETE https://allowed.example/pub/page; }
attack() { curl -sS -m 20 --fail-with-body --http2 -X DELETE https://allowed.example/pub/page; }
