# SPDX-License-Identifier: Apache-2.0
# D: a call that becomes a stream of bytes which nobody reads: an upgrade, with a server that takes part.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=caller
EXPECT='error|status=[45]'
EVENT='none'
go() { "$@" -s -k -m 10 --http1.1 -w ' status=%{http_code}' -H 'upgrade: websocket' -H 'connection: upgrade' -H 'sec-websocket-version: 13' -H 'sec-websocket-key: MDEyMzQ1Njc4OWFiY2RlZg==' -H 'content-type: application/json' -d '{"model": "m", "messages": []}' "$URL"; }
control() { URL=http://127.0.0.1:8000/v1/chat/completions; go nsenter -t "$GPU" -n curl | grep 'status=101'; }
attack() { URL=https://inference.local/v1/chat/completions; go curl | tee answer; grep -q -e 'status=101' -e 'tunnel ' answer; }
