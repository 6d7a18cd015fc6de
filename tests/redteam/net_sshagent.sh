# SPDX-License-Identifier: Apache-2.0
# B9: the agent that holds the user's keys.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='unix UNIX_PATH'
control() { python3 -c 'import socket,sys; s=socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); c=socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])' "$WORLD/agent.sock"; }
attack() { attempt unix "$WORLD/agent.sock"; }
