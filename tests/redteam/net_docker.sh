# SPDX-License-Identifier: Apache-2.0
# B9: a container engine's socket: root on the host.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='unix UNIX_PATH'
control() { attack; }
attack() { attempt unix /var/run/docker.sock; }
