# SPDX-License-Identifier: Apache-2.0
# F3: the supervisor is stopped: it would hold up whoever waits.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='none'
control() { sleep 5 & kill -STOP $! && kill -9 $!; }
attack() { kill -STOP 1; sleep 0.2; grep -q "^State:.*T" /proc/1/status && exit 0; echo errno=EPERM; false; }
