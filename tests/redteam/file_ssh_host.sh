# SPDX-License-Identifier: Apache-2.0
# A: the machine's own keys.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attack; }
attack() { attempt open /etc/ssh/ssh_host_ed25519_key; }
