# SPDX-License-Identifier: Apache-2.0
# A8: the working directory of the first process.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|ENOENT)'
EVENT='none'
control() { first attempt list /proc/1/cwd; }
attack() { attempt list /proc/1/cwd; }
