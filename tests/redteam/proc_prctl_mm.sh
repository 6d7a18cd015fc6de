# SPDX-License-Identifier: Apache-2.0
# E3: prctl that moves what /proc shows of a process: another program's name, other arguments.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call prctl 35 1 0x10000 0 0); [ "$out" != errno=EPERM ] || { echo SKIP this machine refuses it to root as well; false; }; }
attack() { call prctl 35 1 0x10000 0 0; }
