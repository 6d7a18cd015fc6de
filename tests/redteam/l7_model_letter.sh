# SPDX-License-Identifier: Apache-2.0
# D: the key a second time in another case, as some servers read it.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}]}'
EXPECT='model'
EVENT='http MODEL_UNCLEAR'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [], "Model": "large-1"}'; }
