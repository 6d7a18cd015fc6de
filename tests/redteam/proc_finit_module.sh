# SPDX-License-Identifier: Apache-2.0
# E4: a module for the kernel.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call finit_module -1 = 0); [ "$out" != errno=EPERM ] && [ "$out" != errno=ENOSYS ] || echo SKIP the kernel takes no modules; }
attack() { call finit_module -1 = 0; }
