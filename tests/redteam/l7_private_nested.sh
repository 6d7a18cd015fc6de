# SPDX-License-Identifier: Apache-2.0
# D: in JSON in a text, behind an escape of that.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='content_refused'
EVENT='http PRIVATE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [{"role": "tool", "content": "{\"k\": \"\\nAKIAABCDEFGHIJKLMNOP\"}"}]}'; }
