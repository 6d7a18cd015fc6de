# SPDX-License-Identifier: Apache-2.0
# B: IP_TRANSPARENT: addresses of others.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=caps
EXPECT='ermission|not permitted|EPERM'
EVENT='none'
control() { python3 -c 'import socket; s=socket.socket(2, 1); s.setsockopt(0, 19, 1)'; }
attack() { control; }
