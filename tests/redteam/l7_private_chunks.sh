# SPDX-License-Identifier: Apache-2.0
# D: over several chunks, each sent by itself, and with an extension of a chunk between.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='content_refused'
EVENT='http PRIVATE'
control() { attack; }
attack() {
	probe tls 'done POST' "$UP" "$UPPORT" allowed.example \
		'POST /v1/chat/completions HTTP/1.1\r\nHost: allowed.example\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n47\r\n{"model": "small-1", "messages": [{"role": "user", "content": "AKIAABCD\r\n' \
		'10;a="b"\r\nEFGHIJKLMNOP"}]}\r\n0\r\n\r\n'
}
