# SPDX-License-Identifier: Apache-2.0
# F: the record of what it did.
# shellcheck shell=sh disable=SC2034,SC2154,SC2010
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attack; }
attack() { attempt write "$WORLD/log.jsonl-0"; }
