# SPDX-License-Identifier: Apache-2.0
# E9: what every process on the machine does.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attempt list /sys/kernel/tracing || { echo SKIP this machine has no /sys/kernel/tracing for root; false; }; }
attack() { attempt list /sys/kernel/tracing; }
