# SPDX-License-Identifier: Apache-2.0
# D: a call that says in a second spelling how long an answer it wants, and a little in the first.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], limits: [{tokens: 1000, per: day}]}'
EXPECT='call_too_large'
EVENT='http BUDGET_SIZE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [], "max_tokens": 1, "MAX_TOKENS": "900000"}'; }
