# SPDX-License-Identifier: Apache-2.0
# F: a program of the engine, for the next start. None that runs meanwhile: the kernel would refuse that anybody.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attempt openw "$ENGINE/osh-prove"; }
attack() { control; }
