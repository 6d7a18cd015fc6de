# SPDX-License-Identifier: Apache-2.0
# C10: the name service cache daemon.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='unix UNIX_PATH'
control() { attack; }
attack() { attempt unix /var/run/nscd/socket; }
