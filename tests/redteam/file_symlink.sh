# SPDX-License-Identifier: Apache-2.0
# A1: a symlink in the working directory that points outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='none'
control() { ln -sf "$SECRET" "$WORK/link" && attempt open "$WORK/link"; }
attack() { ln -sf "$SECRET" "$WORK/link2"; attempt open "$WORK/link2"; }
