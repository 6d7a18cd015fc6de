# SPDX-License-Identifier: Apache-2.0
# D: as a form with files, whose fields some servers take for those of JSON.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='model_unclear|content_unclear'
EVENT='http MODEL_UNCLEAR|PRIVATE_UNCLEAR'
go() { curl -sS -k -m 20 "$@" -F model=small-1 -F 'messages=AKIAABCDEFGHIJKLMNOP;type=application/json' https://allowed.example/v1/chat/completions; }
control() { go --fail --connect-to "allowed.example:443:$UP:$UPPORT"; }
attack() { go --fail-with-body; }
