# SPDX-License-Identifier: Apache-2.0
# E4: a root of its own, out of which a held descriptor leads.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { attempt chroot /tmp; }
attack() { attempt chroot /tmp; }
