# SPDX-License-Identifier: Apache-2.0
# G1: a GPU, by its name in /dev, where none was given.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=ENOENT'
EVENT='none'
control() { attack; }
attack() { device /dev/nvidia61; }
