# SPDX-License-Identifier: Apache-2.0
# D: in escapes in the arguments of a tool, beside what is a key only as long as they are not read: one is replaced, so as many are found.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: redact}]}'
EXPECT='content_refused.*escaped'
EVENT='http PRIVATE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [{"role": "assistant", "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": "{\"d\":\"\\u0041sk-abcdefghij0123456789abcd\",\"k\":\"s\\u006b-ant-api03-abcdefghij0123456789\"}"}}]}]}'; }
