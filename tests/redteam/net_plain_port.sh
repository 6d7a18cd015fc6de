# SPDX-License-Identifier: Apache-2.0
# D11: plain HTTP where the rule is about 443.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='connect|ermission|refused'
EVENT='connect PORT'
control() { curl -sS -m 20 --fail --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" https://allowed.example/hello; }
attack() { curl -sS -m 20 --fail http://allowed.example/hello; }
