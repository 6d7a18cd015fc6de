# SPDX-License-Identifier: Apache-2.0
# D14: a server that repeats the field that it got.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=cred
CRED=yes
EXPECT='credential_echo|withheld'
EVENT='http ECHO'
control() { curl -sS -m 20 --fail --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" -H "x-api-key: $KEY" https://allowed.example/echo; }
attack() { curl -sS -m 20 --fail-with-body -H "x-api-key: $ACME_KEY" https://allowed.example/echo; }
