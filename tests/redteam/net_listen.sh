# SPDX-License-Identifier: Apache-2.0
# B18: a port on which the outside may call.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|EADDRNOTAVAIL)'
EVENT='bind BIND_ADDR'
control() { attempt bind "$ADDRESS" 0; }
attack() { attempt bind "$ADDRESS" 0; }
