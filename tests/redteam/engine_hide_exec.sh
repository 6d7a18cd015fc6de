# SPDX-License-Identifier: Apache-2.0
# F: a hundred programs of other names first, then the denied thing.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EACCES'
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() { i=0; while [ $i -lt 100 ]; do cp /bin/true t$i && ./t$i; rm -f t$i; i=$((i+1)); done; attempt connect "$ADDRESS" "$PORT"; }
