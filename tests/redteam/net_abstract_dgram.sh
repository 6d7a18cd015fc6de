# SPDX-License-Identifier: Apache-2.0
# B10: a datagram to an abstract socket.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|ECONNREFUSED|EPERM)'
EVENT='none'
control() { attack; }
attack() { attempt unixdgram @osh-redteam-datagrams; }
