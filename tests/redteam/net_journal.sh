# SPDX-License-Identifier: Apache-2.0
# B9: lines in the machine's journal.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='unix UNIX_PATH'
control() { attack; }
attack() { attempt unixdgram /run/systemd/journal/socket; }
