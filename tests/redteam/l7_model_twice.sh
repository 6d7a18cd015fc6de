# SPDX-License-Identifier: Apache-2.0
# D: a call that names two models: which of them a server takes is its own affair.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}]}'
EXPECT='model'
EVENT='http MODEL_UNCLEAR'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [], "model": "large-1"}'; }
