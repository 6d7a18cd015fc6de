# SPDX-License-Identifier: Apache-2.0
# B9: a datagram to a daemon's socket: no connect is made.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='unix UNIX_PATH'
control() { attack; }
attack() { attempt unixdgram "$WORLD/log.sock"; }
