# SPDX-License-Identifier: Apache-2.0
# F: the engine's programs, for the next start.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attempt openw "$ENGINE/oshctl"; }
attack() { control; }
