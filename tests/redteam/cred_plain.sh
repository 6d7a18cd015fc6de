# SPDX-License-Identifier: Apache-2.0
# D14: the key over plain HTTP.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=cred
CRED=yes
EXPECT='ermission|connect|refused'
EVENT='connect PORT'
control() { ACME_KEY=$KEY; attack; }
attack() { curl -sS -m 20 --fail-with-body -H "x-api-key: $ACME_KEY" http://allowed.example/echo; }
