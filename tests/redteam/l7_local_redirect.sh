# SPDX-License-Identifier: Apache-2.0
# D: a backend on this machine sends its callers elsewhere (307, so with the body).
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {routes: [{name: here, api: openai, host: allowed.example, port: 443, local: true}]}'
EXPECT='[Cc]ould not resolve|Failed to connect'
EVENT='dns NAME_UNKNOWN'
go() { curl -sS -k -L -m 20 "$@" -A elsewhere -H 'content-type: application/json' -d '{"model": "m", "messages": []}' https://allowed.example/v1/chat/completions; }
control() { [ "$(go --connect-to "::127.0.0.1:$TLS4")" = "done POST" ]; }
attack() { go; }
