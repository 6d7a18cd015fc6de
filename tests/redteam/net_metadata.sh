# SPDX-License-Identifier: Apache-2.0
# B5: the cloud metadata address.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EACCES'
EVENT='connect DEST_UNKNOWN'
NET=yes
control() { attack; }
attack() { attempt connect 169.254.169.254 80; }
