# SPDX-License-Identifier: Apache-2.0
# B9: a socket that a program outside put into the working directory.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|ECONNREFUSED)'
EVENT='unix UNIX_PATH'
control() { python3 -c 'import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); c=socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])' "$WORK/door"; }
attack() { attempt unix "$WORK/door"; }
