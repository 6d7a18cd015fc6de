# SPDX-License-Identifier: Apache-2.0
# D: where nothing can be replaced: as the name of a member.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: redact}]}'
EXPECT='content_refused'
EVENT='http PRIVATE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [], "metadata": {"AKIAABCDEFGHIJKLMNOP": 1}}'; }
