# SPDX-License-Identifier: Apache-2.0
# A6: a second name, writable, for a file of a read-only tree.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(EROFS|EACCES|EPERM|EXDEV)'
EVENT='none'
control() { fresh && attack && rm mine; }
attack() { rm -f mine; call link "=$RO/f" =mine; }
