# SPDX-License-Identifier: Apache-2.0
# E6: a scheduling class before which everybody else waits.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='EPERM|not permitted'
EVENT='none'
control() { chrt -f 10 true; }
attack() { chrt -f 10 true; }
