# SPDX-License-Identifier: Apache-2.0
# F2: an abstract socket of the engine's, or one that passes for it.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ECONNREFUSED|EACCES|EPERM)'
EVENT='none'
control() { attempt unix "$BUS"; }
attack() { attempt unix @osh-manager; }
