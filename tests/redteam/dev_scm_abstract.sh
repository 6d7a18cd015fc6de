# SPDX-License-Identifier: Apache-2.0
# G1: the same through a socket that has no place in any file system.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|ECONNREFUSED)'
EVENT='none'
control() { attack; }
attack() {
	python3 -c '
import errno, os, socket, sys
s = socket.socket(socket.AF_UNIX)
try:
    s.connect(sys.argv[1].replace("@", "\0", 1))
    fd = socket.recv_fds(s, 1, 1)[1][0]
    os.open("/proc/self/fd/%d" % fd, os.O_RDWR)
except OSError as e:
    if e.errno not in (errno.ENXIO, errno.ENODEV):
        sys.exit("errno=" + errno.errorcode[e.errno])
print("ok")' @osh-redteam-holder
}
