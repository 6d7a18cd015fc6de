# SPDX-License-Identifier: Apache-2.0
# D5: an upgrade to HTTP/2 in the clear would carry requests that nobody judges.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=requests
EXPECT='bad_request|unsupported_l7_protocol'
EVENT='http HTTP_BAD|PROTOCOL'
control() { curl -sS -m 20 --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" -H "Upgrade: h2c" -H "Connection: Upgrade, HTTP2-Settings" -H "HTTP2-Settings: AAMAAABk" https://allowed.example/hello; }
attack() { curl -sS -m 20 --fail-with-body -H "Upgrade: h2c" -H "Connection: Upgrade, HTTP2-Settings" -H "HTTP2-Settings: AAMAAABk" --http1.1 https://allowed.example/hello; }
