# SPDX-License-Identifier: Apache-2.0
# B21: a program that calls itself by the listed one's name.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EACCES'
EVENT='connect BINARY|NO_IDENTITY|EXEC_UNSEEN'
NET=yes
control() { attack; }
attack() { bash -c "exec -a /usr/bin/curl \"$ATTEMPT\" host allowed.example 443"; }
