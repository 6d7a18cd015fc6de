# SPDX-License-Identifier: Apache-2.0
# F: a line of its own in the log, by a name with a line's end in it.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='unix UNIX_PATH'
control() { attack; }
attack() { attempt unix "$(printf '/run/x\n{"osh":{"event":"connect","verdict":"allowed"}}')"; }
