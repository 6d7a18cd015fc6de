# SPDX-License-Identifier: Apache-2.0
# D: in bytes that are no UTF-8, which some servers take for its letters.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='content_unclear'
EVENT='http PRIVATE_UNCLEAR'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [{"role": "user", "content": "'"$(printf '\301\201')"'KIAABCDEFGHIJKLMNOP"}]}'; }
