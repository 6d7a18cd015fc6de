# SPDX-License-Identifier: Apache-2.0
# A: a device node made in the working directory.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='not permitted|ermission denied'
EVENT='none'
control() { attack && rm n; }
attack() { rm -f n; mknod n c 1 3; }
