# SPDX-License-Identifier: Apache-2.0
# D4: HTTP/2 to a denied path.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=tree
EXPECT='policy_denied'
EVENT='http REQUEST_DENIED'
control() { curl -sS -m 20 --fail --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" https://allowed.example/pub/private/page; }
attack() { curl -sS -m 20 --fail-with-body --http2 https://allowed.example/pub/private/page; }
