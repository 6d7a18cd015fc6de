# SPDX-License-Identifier: Apache-2.0
# F13: what the engine keeps.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attempt list "$WORLD/state"; }
attack() { attempt list "$WORLD/state"; }
