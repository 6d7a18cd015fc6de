# SPDX-License-Identifier: Apache-2.0
# A4: out of the working directory by dots and slashes.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attempt open "$WORK/.././work/..//home/.ssh/id_ed25519"; }
attack() { attempt open "$WORK/.././work/..//home/.ssh/id_ed25519"; }
