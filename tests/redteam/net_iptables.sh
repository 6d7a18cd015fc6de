# SPDX-License-Identifier: Apache-2.0
# B: the packet filter by its old interface.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission|not permitted|not available'
EVENT='none'
control() { python3 -c 'import socket; s=socket.socket(2, 3, 255); s.setsockopt(0, 64, bytes(100))' 2>&1 | grep -q "not permitted" && echo SKIP refused to root as well || true; }
attack() { python3 -c 'import socket; s=socket.socket(2, 1); s.setsockopt(0, 64, bytes(100))'; }
