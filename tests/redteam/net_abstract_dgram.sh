# SPDX-License-Identifier: Apache-2.0
# B10: a datagram to an abstract socket.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|ECONNREFUSED|EPERM)'
EVENT='none'
control() { python3 -c 'import socket; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind("\0osh-redteam-own"); c=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); c.sendto(b"x", "\0osh-redteam-own")' ; }
attack() { attempt unixdgram @osh-redteam; }
