# SPDX-License-Identifier: Apache-2.0
# D: in a member that is there twice, the other time with nothing in it.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='content_refused'
EVENT='http PRIVATE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [{"role": "user", "content": "AKIAABCDEFGHIJKLMNOP", "content": "hello"}]}'; }
