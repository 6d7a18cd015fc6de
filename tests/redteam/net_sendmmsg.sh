# SPDX-License-Identifier: Apache-2.0
# B2: many datagrams by one call.
# shellcheck shell=sh disable=SC2034,SC2154
NET=yes
EXPECT='errno=(EACCES|EPERM)'
EVENT='sendmsg UDP'
control() {
	python3 -c '
import ctypes, errno, socket, struct, sys
l = ctypes.CDLL(None, use_errno=True)
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
name = ctypes.create_string_buffer(struct.pack("=HH4s8x", 2, socket.htons(int(sys.argv[2])), socket.inet_aton(sys.argv[1])))
data = ctypes.create_string_buffer(b"x")
iov = ctypes.create_string_buffer(struct.pack("QQ", ctypes.addressof(data), 1))
msg = ctypes.create_string_buffer(struct.pack("QIxxxxQQQQixxxxI4x", ctypes.addressof(name), 16, ctypes.addressof(iov), 1, 0, 0, 0, 0))
r = l.sendmmsg(s.fileno(), msg, 1, 0)
sys.exit("errno=" + errno.errorcode[ctypes.get_errno()] if r < 0 else 0)' "$ADDRESS" "$PORT"
}
attack() { control; }
