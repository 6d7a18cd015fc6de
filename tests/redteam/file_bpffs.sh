# SPDX-License-Identifier: Apache-2.0
# F4: the engine's pinned programs and maps.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attempt list /sys/fs/bpf || { echo SKIP this machine has no /sys/fs/bpf for root; false; }; }
attack() { attempt list /sys/fs/bpf; }
