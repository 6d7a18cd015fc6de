# SPDX-License-Identifier: Apache-2.0
# D: a second answer, which a client would take for that of its next call.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=serving
EXPECT='nothing came of it'
EVENT='none'
control() { calls second; }
attack() { across rogue "$SERVED" second; }
