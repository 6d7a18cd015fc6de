# SPDX-License-Identifier: Apache-2.0
# A: a denied directory taken away.
# shellcheck shell=sh disable=SC2034,SC2154
DENY=guarded
EXPECT='busy|denied|not permitted|Read-only'
EVENT='none'
control() { mkdir -p guarded2 && rmdir guarded2 && mkdir -p guarded; }
attack() { rmdir guarded; }
