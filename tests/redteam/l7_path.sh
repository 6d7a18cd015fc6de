# SPDX-License-Identifier: Apache-2.0
# A path that no rule allows, on an inspected host.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=requests
EXPECT='policy_denied'
EVENT='http REQUEST'
control() { curl -sS -m 20 --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" https://allowed.example/; }
attack() { curl -sS -m 20 --fail-with-body https://allowed.example/; }
