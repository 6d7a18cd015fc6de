# SPDX-License-Identifier: Apache-2.0
# B19: HTTP/3: UDP to a listed host.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission'
EVENT='sendmsg UDP'
control() { attack; }
attack() { python3 -c 'import socket; a=socket.getaddrinfo("allowed.example", 443, socket.AF_INET)[0][4]; s=socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b"x", a)' ; }
