# SPDX-License-Identifier: Apache-2.0
# F: SO_MARK: the identity that the kernel gives to a connection, forged.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=caps
EXPECT='ermission|not permitted|EPERM'
EVENT='none'
control() { python3 -c 'import socket; s=socket.socket(2, 1); s.setsockopt(1, 36, 7)'; }
attack() { control; }
