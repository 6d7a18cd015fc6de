# SPDX-License-Identifier: Apache-2.0
# A26: a path longer than any buffer.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='none'
control() { mkdir -p d && attack; }
attack() { p=d; i=0; while [ $i -lt 2000 ]; do p=$p/.; i=$((i+1)); done; attempt open "$p/../../home/.ssh/id_ed25519"; }
