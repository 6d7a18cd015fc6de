# SPDX-License-Identifier: Apache-2.0
# A3: a link in the middle of a path, to a directory outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { ln -sfn "$WORLD/home" way && attempt open way/.ssh/id_ed25519; }
attack() { control; }
