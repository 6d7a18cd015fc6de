# SPDX-License-Identifier: Apache-2.0
# D: in the arguments of a tool, JSON in a text, in escapes of that: servers read them before a model does.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='content_refused'
EVENT='http PRIVATE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{\"k\": \"\\u0041KIAABCDEFGHIJKLMNOP\"}"}}]}]}'; }
