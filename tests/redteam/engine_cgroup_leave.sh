# SPDX-License-Identifier: Apache-2.0
# E7: out of the cgroup that names it.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='none'
control() { [ -w /sys/fs/cgroup ]; }
attack() { for f in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/unified/cgroup.procs /proc/1/cgroup; do attempt write $f && exit 0; done; false; }
