# SPDX-License-Identifier: Apache-2.0
# D: what else the served port answers: ways round the list of calls.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=caller
EXPECT='not_a_model_call|target'
EVENT='http NOT_INFERENCE'
control() { nsenter -t "$GPU" -n curl -s http://127.0.0.1:8000/admin | grep admin; }
attack() {
	for p in /admin /v1/chat/completions/../../admin /v1/chat/completions/%2e%2e/admin //admin '/v1/chat/completions;/../admin' /v1/chat/completions%2f..%2f..%2fadmin '/v1/chat/completions#/admin'; do
		curl -sk -m 10 --path-as-is -d '{"model": "m", "messages": []}' -H 'content-type: application/json' "https://inference.local$p"
		curl -sk -m 10 --path-as-is "https://inference.local$p"
	done >answers
	cat answers
	grep -q '"said": "admin"' answers
}
