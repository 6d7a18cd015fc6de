# SPDX-License-Identifier: Apache-2.0
# D14: the placeholder in the query.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=cred
CRED=yes
EXPECT='credential_endpoint_mismatch|placeholder'
EVENT='http PLACEHOLDER|CREDENTIAL'
control() { curl -sS -m 20 --fail --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" "https://allowed.example/echo?k=$KEY"; }
attack() { curl -sS -m 20 --fail-with-body "https://allowed.example/echo?k=$ACME_KEY"; }
