# SPDX-License-Identifier: Apache-2.0
# B18: a port on an address of another machine's.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|EADDRNOTAVAIL)'
EVENT='bind BIND_ADDR'
control() { attack; }
attack() { attempt bind 203.0.113.1 8080; }
