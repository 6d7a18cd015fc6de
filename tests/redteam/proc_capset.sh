# SPDX-License-Identifier: Apache-2.0
# E1: a capability that it never had.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='EPERM'
EVENT='none'
control() {
	python3 -c '
import ctypes, errno, struct, sys
l = ctypes.CDLL(None, use_errno=True)
head = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0))
data = ctypes.create_string_buffer(struct.pack("6I", 1 << 21, 1 << 21, 0, 0, 0, 0))
r = l.capset(head, data)
print("ok" if not r else errno.errorcode[ctypes.get_errno()])
sys.exit(r != 0)'
}
attack() { control; }
