# SPDX-License-Identifier: Apache-2.0
# D: with spaces of no width between its letters.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=models
MORE='inference: {models: ["small-*"], routes: [{name: m, api: openai, host: allowed.example, port: 443}], privacy: [{name: keys, kinds: [secrets], action: refuse}]}'
EXPECT='content_refused'
EVENT='http PRIVATE'
control() { attack; }
attack() { ask '{"model": "small-1", "messages": [{"role": "user", "content": "A\u200bK\u200bI\u200bA\u200bA\u200bB\u200bC\u200bD\u200bE\u200bF\u200bG\u200bH\u200bI\u200bJ\u200bK\u200bL\u200bM\u200bN\u200bO\u200bP"}]}'; }
