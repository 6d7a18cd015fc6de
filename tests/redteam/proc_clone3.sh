# SPDX-License-Identifier: Apache-2.0
# B14: clone3 has its flags in memory, where no filter sees them: the call is not there at all.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=ENOSYS'
EVENT='none'
control() { out=$(call clone3 @88 88); [ "$out" != errno=ENOSYS ]; }
attack() { call clone3 @88 88; }
