# SPDX-License-Identifier: Apache-2.0
# E7: a move out of the sandbox through the cgroup tree.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EROFS)'
EVENT='none'
control() { grep -q cgroup2 /proc/self/mountinfo; }
attack() { attempt write /sys/fs/cgroup/cgroup.procs; }
