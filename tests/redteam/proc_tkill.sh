# SPDX-License-Identifier: Apache-2.0
# E2: the older call to a thread outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM)'
EVENT='none'
control() { call tkill "$HOSTPID" 0; }
attack() { call tkill "$HOSTPID" 0; }
