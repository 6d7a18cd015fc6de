# SPDX-License-Identifier: Apache-2.0
# G7: the node that hands memory to other processes, by somebody who has every GPU.
# shellcheck shell=sh disable=SC2034,SC2154
GPU=all,share
EXPECT='errno=ENOENT'
EVENT='none'
control() { attack; }
attack() { device /dev/nvidia-modeset; }
