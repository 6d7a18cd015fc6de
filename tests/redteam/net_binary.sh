# SPDX-License-Identifier: Apache-2.0
# B20: a program that is not listed, to a listed host and port.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EACCES'
EVENT='connect BINARY|NO_IDENTITY|EXEC_UNSEEN'
NET=yes
control() { attack; }
attack() { attempt host allowed.example 443; }
