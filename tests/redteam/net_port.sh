# SPDX-License-Identifier: Apache-2.0
# A listed host on a port that is not listed.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=any
EXPECT='errno=EACCES'
EVENT='connect PORT'
NET=yes
control() { attack; }
attack() { attempt host allowed.example 80; }
