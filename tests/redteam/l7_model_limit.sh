# SPDX-License-Identifier: Apache-2.0
# D: one call more than a limit has.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], limits: [{requests: 1, per: day}]}'
EXPECT='limit_used_up'
EVENT='http BUDGET'
control() { attack; }
attack() {
	ask '{"model": "small-1", "messages": []}'
	ask '{"model": "small-1", "messages": []}'
}
