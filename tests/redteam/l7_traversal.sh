# SPDX-License-Identifier: Apache-2.0
# D: an allowed prefix, then encoded dots: the server would serve the root.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=requests
EXPECT='policy_denied|bad_request'
EVENT='http REQUEST|TARGET_BAD'
control() { curl -sS -m 20 --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" --path-as-is https://allowed.example/hello/%2e%2e/; }
attack() { curl -sS -m 20 --fail-with-body --path-as-is https://allowed.example/hello/%2e%2e/; }
