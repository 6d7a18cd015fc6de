# SPDX-License-Identifier: Apache-2.0
# A22: a named pipe where the host's tools read a file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='cannot create|No such|denied|Read-only'
EVENT='none'
control() { attack && rm "$WORLD/p"; }
attack() { mkfifo "$WORLD/p"; }
