# SPDX-License-Identifier: Apache-2.0
# G1: links to the host's /dev, of its own making and left by somebody outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM)'
EVENT='none'
control() { ln -sfn /dev left && attack; }
attack() { ln -sf /dev/nvidia61 card; device card || device left/nvidia61; }
