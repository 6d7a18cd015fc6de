# SPDX-License-Identifier: Apache-2.0
# D25: another port of a listed host.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM)'
EVENT='connect PORT'
control() { attack; }
attack() { attempt host allowed.example 22; }
