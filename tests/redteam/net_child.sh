# SPDX-License-Identifier: Apache-2.0
# B20: a program that the listed one did not start, with the listed one's parent.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission'
EVENT='connect BINARY'
control() { attack; }
attack() { sh -c 'python3 -c "import socket; socket.create_connection((\"allowed.example\", 443), 5)"' ; }
