# SPDX-License-Identifier: Apache-2.0
# F13: stored credentials where the daemon keeps them, and the key that they are sealed with.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='none'
control() { attack; }
attack() { attempt open "$(dirname "$BUS")/osh.db"; }
