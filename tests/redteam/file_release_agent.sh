# SPDX-License-Identifier: Apache-2.0
# E7: a program that the kernel starts when a cgroup is empty.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attack || { echo SKIP this machine has none; false; }; }
attack() { for f in "$CGROUP" /sys/fs/cgroup /sys/fs/cgroup/*; do attempt openw "$f/release_agent" && return; done; false; }
