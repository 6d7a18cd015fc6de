# SPDX-License-Identifier: Apache-2.0
# D: a sandbox of the same user that does not let this one in.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=caller
EXPECT='sandbox_not_serving'
EVENT='egress PEER_CLOSED'
control() { beside attempt connect 127.0.0.1 8000; }
attack() { by_route '{"model": "quiet", "messages": []}' | tee answer; grep -q said answer; }
