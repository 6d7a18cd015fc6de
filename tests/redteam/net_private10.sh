# SPDX-License-Identifier: Apache-2.0
# B7: the private network of whoever runs it.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM)'
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect 10.0.0.1 22; }
