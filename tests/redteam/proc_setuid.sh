# SPDX-License-Identifier: Apache-2.0
# E1: another identity.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EPERM|EINVAL|ENOSYS)'
EVENT='none'
control() { attempt setuid 0; }
attack() { attempt setuid 0; }
