# SPDX-License-Identifier: Apache-2.0
# C2: names without end below a wildcard, each a message: after the budget there are none.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=wild
EXPECT='not known|resolution|No address'
EVENT='dns NAME_BUDGET'
control() { attack; }
attack() { python3 -c "import socket; [socket.getaddrinfo(str(n) + '.wild.example', 443) for n in range(20000)]"; }
