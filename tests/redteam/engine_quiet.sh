# SPDX-License-Identifier: Apache-2.0
# F: a denial with a name so long that the record is cut.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='unix UNIX_PATH'
control() { attack; }
attack() { attempt unix "/run/$(printf %0100d 0)"; }
