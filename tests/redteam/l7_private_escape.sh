# SPDX-License-Identifier: Apache-2.0
# D: a key that is kept from models, in escapes.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='content_refused'
EVENT='http PRIVATE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [{"role": "user", "content": "\u0041\u004b\u0049\u0041\u0041\u0042\u0043\u0044\u0045\u0046\u0047\u0048\u0049\u004a\u004b\u004c\u004d\u004e\u004f\u0050"}]}'; }
