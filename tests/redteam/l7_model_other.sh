# SPDX-License-Identifier: Apache-2.0
# D: a call of a model that the policy does not list.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}]}'
EXPECT='model_not_allowed'
EVENT='http MODEL'
control() { attack; }
attack() { ask '{"model": "large-1", "messages": []}'; }
