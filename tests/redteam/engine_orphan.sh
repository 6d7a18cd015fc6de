# SPDX-License-Identifier: Apache-2.0
# F: a process that outlives its sandbox.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=left'
EVENT='life ENDED'
control() { (setsid sleep 1 >/dev/null 2>&1 &); }
attack() { (setsid sleep 300 >/dev/null 2>&1 &) ; echo errno=left; false; }
