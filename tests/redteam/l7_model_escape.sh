# SPDX-License-Identifier: Apache-2.0
# D: the key written with an escape, which hides it from whoever compares bytes.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}]}'
EXPECT='model'
EVENT='http MODEL_UNCLEAR'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [], "mod\u0065l": "large-1"}'; }
