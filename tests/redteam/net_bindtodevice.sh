# SPDX-License-Identifier: Apache-2.0
# B: SO_BINDTODEVICE: past the routes.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission|not permitted|No such device'
EVENT='none'
control() { attack; }
attack() { python3 -c 'import socket; s=socket.socket(2, 1); s.setsockopt(1, 25, b"wire0")'; }
