# SPDX-License-Identifier: Apache-2.0
# B: a socket that was connected where it may, then elsewhere.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=any
EXPECT='ermission'
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() {
	python3 -c '
import ctypes, socket, struct, sys
l = ctypes.CDLL(None, use_errno=True)
s = socket.socket()
a = socket.getaddrinfo("allowed.example", 443, socket.AF_INET)[0][4]
try: s.connect(a)
except PermissionError: pass
l.connect(s.fileno(), struct.pack("H14x", 0), 16)
s.connect((sys.argv[1], int(sys.argv[2])))' "$ADDRESS" "$PORT"
}
