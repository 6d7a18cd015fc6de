# SPDX-License-Identifier: Apache-2.0
# B9: the agent that holds the user's keys.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='unix UNIX_PATH'
control() { attack; }
attack() { attempt unix "$WORLD/agent.sock"; }
