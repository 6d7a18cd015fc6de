# SPDX-License-Identifier: Apache-2.0
# B7: addresses of carriers and overlay networks.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM)'
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { attempt connect 100.64.0.1 80; }
