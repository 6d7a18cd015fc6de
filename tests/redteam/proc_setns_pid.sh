# SPDX-License-Identifier: Apache-2.0
# E4: into the namespaces of a process outside, by its pidfd.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='none'
control() { attack; }
attack() { attempt setns "/proc/$HOSTPID/ns/net"; }
