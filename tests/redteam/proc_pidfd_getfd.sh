# SPDX-License-Identifier: Apache-2.0
# B24: a descriptor out of another process: sockets, files, listeners.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE='seccomp'
LSM='task TRACED'
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attack; }
attack() {
	python3 -c '
import ctypes, errno, os, subprocess, sys
l = ctypes.CDLL(None, use_errno=True)
p = subprocess.Popen(["sleep", "5"])
r = l.syscall(438, os.pidfd_open(p.pid), 0, 0)
print("ok" if r >= 0 else "errno=" + errno.errorcode[ctypes.get_errno()])
p.kill()
sys.exit(r < 0)'
}
