# SPDX-License-Identifier: Apache-2.0
# B9: a link inside to a socket outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|ECONNREFUSED)'
EVENT='unix UNIX_PATH'
control() { ln -sf "$BUS" bus; attempt unix bus; }
attack() { ln -sf "$BUS" bus; attempt unix bus; }
