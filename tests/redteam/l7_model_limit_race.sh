# SPDX-License-Identifier: Apache-2.0
# D: eight calls at once against a limit of one: whoever looks and counts later lets several through.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], limits: [{requests: 1, per: day}]}'
EXPECT='passed 1'
EVENT='http BUDGET'
control() { attack; }
attack() {
	for _ in 1 2 3 4 5 6 7 8; do
		ask '{"model": "small-1", "messages": []}' &
	done >asked
	wait
	echo "passed $(grep -c 'done POST' asked)"
	[ "$(grep -c 'done POST' asked)" -gt 1 ]
}
