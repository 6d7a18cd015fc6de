# SPDX-License-Identifier: Apache-2.0
# D: a sandbox that does not run, while the host has a server at a port of that number.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=caller
EXPECT='sandbox_not_running'
EVENT='egress PEER_AWAY'
control() { attempt connect 127.0.0.1 8000; }
attack() { by_route '{"model": "nobody", "messages": []}'; false; }
