# SPDX-License-Identifier: Apache-2.0
# A21: the configuration of an agent, which starts programs at its next start.
# shellcheck shell=sh disable=SC2034,SC2154
DENY=.claude
EXPECT='errno=(EROFS|EPERM|EACCES)'
EVENT='none'
control() { mkdir -p .claude && attack && rm .claude/settings.json; }
attack() { attempt write .claude/settings.json; }
