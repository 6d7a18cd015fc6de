# SPDX-License-Identifier: Apache-2.0
# F: lines in the machine's audit log.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=seccomp
EXPECT='errno='
EVENT='socket FAMILY'
control() { attempt socket 16 3 9 || { echo SKIP the kernel has no audit; false; }; }
attack() { attempt socket 16 3 9; }
