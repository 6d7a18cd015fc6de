# SPDX-License-Identifier: Apache-2.0
# A method that no rule allows, on an allowed path.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=requests
EXPECT='policy_denied'
EVENT='http REQUEST'
control() { curl -sS -m 20 --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" -X DELETE https://allowed.example/hello; }
attack() { curl -sS -m 20 --fail-with-body -X DELETE https://allowed.example/hello; }
