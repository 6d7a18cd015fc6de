# SPDX-License-Identifier: Apache-2.0
# D: what is to stay on this machine, where the backend that is local failed a moment ago and the next one is elsewhere.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {fallback: true, routes: [{name: here, api: openai, host: nowhere.example, port: 443, local: true}, {name: far, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: local}]}'
EXPECT='upstream|resolve|unreachable'
EVENT='egress RESOLVE|UPSTREAM|ADDR_FORBIDDEN'
control() { attack; }
attack() {
	ask '{"model": "m", "messages": []}'
	ask '{"model": "m", "messages": [{"role": "user", "content": "AKIAABCDEFGHIJKLMNOP"}]}'
}
