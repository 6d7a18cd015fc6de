# SPDX-License-Identifier: Apache-2.0
# E2: a signal with a value, to a process outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ESRCH|EPERM|No such process'
EVENT='none'
control() {
	python3 -c '
import ctypes, os, struct, sys
l = ctypes.CDLL(None, use_errno=True)
info = ctypes.create_string_buffer(struct.pack("iii", 0, 0, -1), 128)
if l.syscall(129, int(sys.argv[1]), 0, info):
    sys.exit(os.strerror(ctypes.get_errno()))
print("ok")' "$HOSTPID"
}
attack() { control; }
