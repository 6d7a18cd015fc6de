# SPDX-License-Identifier: Apache-2.0
# E4: a module taken out of the kernel.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { out=$(call delete_module =osh_no_such 0); [ "$out" = errno=ENOENT ] || { echo SKIP the kernel has no modules; false; }; }
attack() { call delete_module =osh_no_such 0; }
