# SPDX-License-Identifier: Apache-2.0
# E10: escapes in a name that a person will read in the log.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='unix UNIX_PATH'
control() { attack; }
attack() { attempt unix "$(printf '/run/\033]0;pwned\007\033[2J')"; }
