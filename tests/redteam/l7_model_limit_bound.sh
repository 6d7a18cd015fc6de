# SPDX-License-Identifier: Apache-2.0
# D: a call that says it wants one token, and takes that back: by null, by none at all, by what its server does not read.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}, {name: o, api: ollama, host: allowed.example, port: 443}], limits: [{tokens: 2000, per: day}]}'
EXPECT='call_too_large'
EVENT='http BUDGET_SIZE'
control() { attack; }
attack() {
	for more in '"max_tokens": 1, "max_tokens": null' '"max_tokens": 1, "n_predict": -1' '"max_output_tokens": 1' \
		'"max_completion_tokens": 1'; do
		ask '{"model": "small-1", "messages": [], '"$more"'}' && return
	done
	# An Ollama reads the second key as the first.
	answer=$(curl -sk -m 100 --connect-to "allowed.example:443:$UP:$UPPORT" -H 'content-type: application/json' \
		-d "$(printf '{"model": "small-1", "messages": [], "options": {"num_predict": 1}, "option\305\277": {"num_predict": -1}}')" \
		https://allowed.example/api/chat)
	echo "$answer"
	[ "$answer" = "done POST" ]
}
