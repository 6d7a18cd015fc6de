# SPDX-License-Identifier: Apache-2.0
# D25: mail, by a listed host.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EACCES|EPERM)'
EVENT='connect PORT'
control() { attack; }
attack() { attempt host allowed.example 25; }
