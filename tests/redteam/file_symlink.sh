# SPDX-License-Identifier: Apache-2.0
# A1: a symlink in the working directory that points outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='none'
control() { attack; }
attack() { ln -sf "$SECRET" link; attempt open link; }
