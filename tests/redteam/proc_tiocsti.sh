# SPDX-License-Identifier: Apache-2.0
# E10: characters put into a terminal as if they had been typed.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attack; }
attack() {
	python3 -c '
import errno, fcntl, pty, sys
try:
    fd = pty.openpty()[1]
except OSError:
    fd = 0
try:
    fcntl.ioctl(fd, 0x5412, b"x")
except OSError as e:
    sys.exit("errno=" + errno.errorcode[e.errno])
print("ok")'
}
