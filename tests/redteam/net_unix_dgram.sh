# SPDX-License-Identifier: Apache-2.0
# B9: a datagram to a daemon's socket: no connect is made.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='unix UNIX_PATH'
control() { python3 -c 'import socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1])' "$WORLD/log.sock"; python3 -c 'import socket,sys; s=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); c=socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); c.sendto(b"x", sys.argv[1])' "$WORLD/log2.sock"; }
attack() { attempt unixdgram "$WORLD/log.sock"; }
