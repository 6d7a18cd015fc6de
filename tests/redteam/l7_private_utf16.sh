# SPDX-License-Identifier: Apache-2.0
# D: in UTF-16, by which some readers of JSON go.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='model_unclear|content_unclear'
EVENT='http MODEL_UNCLEAR|PRIVATE_UNCLEAR'
control() { attack; }
attack() {
	python3 -c 'import sys; sys.stdout.buffer.write(sys.argv[1].encode("utf-16-le"))' \
		'{"model": "small-1", "messages": [{"role": "user", "content": "AKIAABCDEFGHIJKLMNOP"}]}' >wide
	ask @wide
}
