# SPDX-License-Identifier: Apache-2.0
# D: the serving one reads what its caller has for others: keys, cookies, in fields of a call.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=serving
EXPECT='nothing came of it'
EVENT='none'
control() { calls learn; }
attack() { across rogue "$SERVED" learn; }
