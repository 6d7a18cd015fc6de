# SPDX-License-Identifier: Apache-2.0
# F3: the supervisor is killed.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='none'
control() { sleep 5 & kill -9 $!; }
attack() { kill -9 1; sleep 0.2; kill -0 1 2>/dev/null; attempt openw /proc/1/comm; }
