# SPDX-License-Identifier: Apache-2.0
# A: a denied directory taken away.
# shellcheck shell=sh disable=SC2034,SC2154
DENY=guarded
EXPECT='busy|denied|not permitted|Read-only'
EVENT='none'
control() { rm -rf guarded; mkdir guarded && attack && mkdir guarded; }
attack() { rmdir guarded; }
