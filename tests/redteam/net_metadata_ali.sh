# SPDX-License-Identifier: Apache-2.0
# B5: the metadata service of another cloud.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM)'
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect 100.100.100.200 80; }
