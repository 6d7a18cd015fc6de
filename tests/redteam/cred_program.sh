# SPDX-License-Identifier: Apache-2.0
# D14: a program that the policy does not list uses the placeholder.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=cred
CRED=yes
EXPECT='ermission|Could ?n.t connect|Failed to connect'
EVENT='connect BINARY|NO_IDENTITY|EXEC_UNSEEN'
control() { cp /usr/bin/curl ctl-curl; ./ctl-curl -sS -m 20 --fail --cacert "$CA" --connect-to "::127.0.0.1:$TLS4" -H "x-api-key: $KEY" https://allowed.example/echo; }
attack() { cp /usr/bin/curl my-curl; ./my-curl -sS -m 20 --fail -H "x-api-key: $ACME_KEY" https://allowed.example/echo; }
