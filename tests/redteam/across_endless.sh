# SPDX-License-Identifier: Apache-2.0
# D: interim answers without end keep the caller's egress at work.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=serving
EXPECT='nothing came of it'
EVENT='none'
control() { calls endless; }
attack() { across rogue "$SERVED" endless; }
