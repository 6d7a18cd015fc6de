# SPDX-License-Identifier: Apache-2.0
# D: a request for another host inside a connection to an allowed one.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=requests
EXPECT='request_authority_mismatch'
EVENT='http AUTHORITY'
control() { curl -sS -m 20 --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" -H "Host: denied.example" https://allowed.example/hello; }
attack() { curl -sS -m 20 --fail-with-body -H "Host: denied.example" https://allowed.example/hello; }
