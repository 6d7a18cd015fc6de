# SPDX-License-Identifier: Apache-2.0
# B7: the router at home.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM)'
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect 192.168.1.1 80; }
