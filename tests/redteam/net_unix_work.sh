# SPDX-License-Identifier: Apache-2.0
# B9: a socket that a program outside put into the working directory.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|ECONNREFUSED)'
EVENT='unix UNIX_PATH'
control() { attack; }
attack() { attempt unix "$WORK/door"; }
