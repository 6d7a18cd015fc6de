# SPDX-License-Identifier: Apache-2.0
# D: compressed, said in a list that begins with what is none.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='model_unclear|content_unclear'
EVENT='http MODEL_UNCLEAR|PRIVATE_UNCLEAR'
go() {
	echo '{"model": "small-1", "messages": [{"role": "user", "content": "AKIAABCDEFGHIJKLMNOP"}]}' | gzip >coded
	for how in 'identity, gzip' 'IDENTITY ,gzip' 'identity;gzip' 'x-gzip'; do
		answer=$(curl -sk -m 20 "$@" -H "content-encoding: $how" -H 'content-type: application/json' --data-binary @coded \
			https://allowed.example/v1/chat/completions)
		echo "$answer"
		[ "$answer" = "done POST" ] && return
	done
	false
}
control() { go --connect-to "allowed.example:443:$UP:$UPPORT"; }
attack() { go; }
