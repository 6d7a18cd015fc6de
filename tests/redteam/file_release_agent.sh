# SPDX-License-Identifier: Apache-2.0
# E7: a program that the kernel starts when a cgroup is empty.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { [ -w /sys/fs/cgroup ]; }
attack() { attempt write /sys/fs/cgroup/release_agent; }
