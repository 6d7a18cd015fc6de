# SPDX-License-Identifier: Apache-2.0
# D: behind a mark of byte order, which some readers of JSON skip and others refuse.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='model_unclear|content_unclear'
EVENT='http MODEL_UNCLEAR|PRIVATE_UNCLEAR'
control() { attack; }
attack() { ask "$(printf '\357\273\277')"'{"model": "small-1", "messages": [{"role": "user", "content": "AKIAABCDEFGHIJKLMNOP"}]}'; }
