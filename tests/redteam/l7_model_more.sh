# SPDX-License-Identifier: Apache-2.0
# D: further models beside the one that is named, which a gateway takes where that one fails; and so in letters that it reads alike.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}]}'
EXPECT='model'
EVENT='http MODEL_UNCLEAR'
control() { attack; }
attack() {
	ask '{"model": "small-1", "models": ["large-1"], "messages": []}' ||
		ask "$(printf '{"model": "small-1", "model\305\277": ["large-1"], "messages": []}')"
}
