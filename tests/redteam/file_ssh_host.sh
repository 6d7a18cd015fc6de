# SPDX-License-Identifier: Apache-2.0
# A: the machine's own keys.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attempt list /etc/ssh || { echo SKIP this machine has no keys; false; }; }
attack() { attempt list /etc/ssh; }
