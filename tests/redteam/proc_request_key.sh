# SPDX-License-Identifier: Apache-2.0
# E4: a key asked for, which may start a program outside.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE='seccomp'
LSM='task KERNEL'
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attack; }
attack() {
	python3 -c '
import ctypes, errno, sys
l = ctypes.CDLL(None, use_errno=True)
l.syscall(248, b"user", b"osh-redteam", b"x", 1, -2)
r = l.syscall(249, b"user", b"osh-redteam", None, 0)
print("ok" if r >= 0 else "errno=" + errno.errorcode[ctypes.get_errno()])
sys.exit(r < 0)'
}
