# SPDX-License-Identifier: Apache-2.0
# D: what is to stay on this machine, to a model whose other name only a backend elsewhere serves.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {aliases: {small-1: large-1}, routes: [{name: here, api: openai, host: nowhere.example, port: 443, local: true, model: "small-*"}, {name: far, api: openai, host: allowed.example, port: 443, model: "large-*"}], privacy: [{name: keys, kinds: [secrets], action: local}]}'
EXPECT='model_not_served'
EVENT='http NO_ROUTE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [{"role": "user", "content": "AKIAABCDEFGHIJKLMNOP"}]}'; }
