# SPDX-License-Identifier: Apache-2.0
# D11: plain HTTP where the rule is about 443.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='connect|ermission|refused'
EVENT='connect PORT'
control() { attack; }
attack() { curl -sS -m 20 --fail http://allowed.example/hello; }
