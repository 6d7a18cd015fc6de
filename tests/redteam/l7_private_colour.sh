# SPDX-License-Identifier: Apache-2.0
# D: with what colours a part of it in a terminal, as grep does.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='content_refused'
EVENT='http PRIVATE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [{"role": "tool", "content": "AKIA\u001b[01;31m\u001b[KABCDEFGH\u001b[mIJKLMNOP"}]}'; }
