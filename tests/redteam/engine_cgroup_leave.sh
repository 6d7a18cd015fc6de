# SPDX-License-Identifier: Apache-2.0
# E7: out of the cgroup that names it.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='cannot create|No such|ermission denied|Read-only'
EVENT='none'
control() { attack; }
attack() { sh -c "echo 0 >\"$CGROUP/cgroup.procs\""; }
