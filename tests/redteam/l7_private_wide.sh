# SPDX-License-Identifier: Apache-2.0
# D: in letters of double width.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='content_refused'
EVENT='http PRIVATE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [{"role": "user", "content": "\uff21\uff2b\uff29\uff21\uff21\uff22\uff23\uff24\uff25\uff26\uff27\uff28\uff29\uff2a\uff2b\uff2c\uff2d\uff2e\uff2f\uff30"}]}'; }
