# SPDX-License-Identifier: Apache-2.0
# D: answers that are cut off before what they used is counted: the connection closed, a stream of HTTP/2 reset.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], limits: [{tokens: 2500, per: day}]}'
EXPECT='limit_used_up'
EVENT='http BUDGET'
BODY='{"model": "small-1", "messages": [], "max_tokens": 1000}'
cut() { curl -sk -m 20 --max-filesize 1 "$1" --connect-to "allowed.example:443:$UP:$UPPORT" -H 'content-type: application/json' -d "$BODY" https://allowed.example/v1/chat/completions; }
control() { attack; }
attack() {
	cut --http1.1
	cut --http2
	ask "$BODY"
}
