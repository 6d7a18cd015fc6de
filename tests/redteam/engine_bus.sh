# SPDX-License-Identifier: Apache-2.0
# The daemon's own socket, by which its owner steers sandboxes.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='unix UNIX_PATH'
control() { attempt unix "$BUS"; }
attack() { attempt unix "$BUS"; }
