# SPDX-License-Identifier: Apache-2.0
# B14: clone3 has its flags in memory, where no filter sees them: the call is not there at all.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='ENOSYS'
EVENT='none'
control() {
	python3 -c '
import ctypes, errno, os, struct, sys
l = ctypes.CDLL(None, use_errno=True)
args = ctypes.create_string_buffer(struct.pack("11Q", 0x10000000, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0))
r = l.syscall(435, args, 88)
if r == 0:
    os._exit(0)
print("ok" if r > 0 else errno.errorcode[ctypes.get_errno()])
sys.exit(r < 0)'
}
attack() { control; }
