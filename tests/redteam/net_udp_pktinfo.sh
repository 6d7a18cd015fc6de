# SPDX-License-Identifier: Apache-2.0
# B2: a datagram that says by which device and from which address it goes.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission'
EVENT='sendmsg UDP'
control() {
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.sendmsg([b"x"], [(0, 8, bytes(12))], 0, (sys.argv[1], int(sys.argv[2])))' "$ADDRESS" "$PORT"
}
attack() { control; }
