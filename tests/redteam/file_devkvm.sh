# SPDX-License-Identifier: Apache-2.0
# E11: virtual machines: a large piece of kernel.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { attempt open /dev/kvm || { echo SKIP this machine has no /dev/kvm for root; false; }; }
attack() { attempt open /dev/kvm; }
