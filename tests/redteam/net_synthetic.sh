# SPDX-License-Identifier: Apache-2.0
# A name's address in another place: the next one, which stands for nothing.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM)'
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect 198.19.255.254 443; }
