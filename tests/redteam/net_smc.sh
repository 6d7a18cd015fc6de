# SPDX-License-Identifier: Apache-2.0
# B12: SMC, which becomes RDMA.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='socket FAMILY|SYSCALL'
control() { attempt socket 43 1 0 || { echo SKIP this machine has none; false; }; }
attack() { attempt socket 43 1 0; }
