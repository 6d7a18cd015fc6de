# SPDX-License-Identifier: Apache-2.0
# A10: descriptors of the supervisor, among them its socket.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM|ENOENT)'
EVENT='none'
control() { first attempt list /proc/1/fd; }
attack() { attempt list /proc/1/fd; }
