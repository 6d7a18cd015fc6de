# SPDX-License-Identifier: Apache-2.0
# E14: groups that own devices and logs.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='none'
control() { call setgroups 1 @4; }
attack() { call setgroups 1 @4; }
