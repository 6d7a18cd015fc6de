# SPDX-License-Identifier: Apache-2.0
# B9: the screen and the keyboard.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES)'
EVENT='none'
control() { attack; }
attack() { attempt unix /tmp/.X11-unix/X0; }
