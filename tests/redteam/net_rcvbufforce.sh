# SPDX-License-Identifier: Apache-2.0
# E6: buffers past the limit.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=caps
EXPECT='ermission|not permitted|EPERM'
EVENT='none'
control() { python3 -c 'import socket; s=socket.socket(2, 1); s.setsockopt(1, 33, 268435456)'; }
attack() { control; }
