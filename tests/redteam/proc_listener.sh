# SPDX-License-Identifier: Apache-2.0
# E3: whoever answers another program's system calls gives it files of his own and tells it what he likes: a filter with a
# listener, which outlives the exec of a program that rules list. The sandbox's own has one, and the kernel takes no second.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE='seccomp'
EXPECT='errno=EBUSY'
EVENT='none'
control() { attack; }
attack() {
	python3 -c '
import ctypes, errno, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(allow)))
libc.prctl(38, 1, 0, 0, 0)
if libc.syscall(317, 1, 8, program) < 0:
    sys.exit("errno=" + errno.errorcode[ctypes.get_errno()])
print("ok")'
}
