# SPDX-License-Identifier: Apache-2.0
# A: a write below a read-only path.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM)'
EVENT='none'
control() { fresh && attack && fresh; }
attack() { attempt write "$RO/x"; }
