# SPDX-License-Identifier: Apache-2.0
# G1: another sandbox's GPU, beside the own one.
# shellcheck shell=sh disable=SC2034,SC2154
GPU=nvidia60
EXPECT='errno=ENOENT'
EVENT='none'
control() { attack; }
attack() { device /dev/nvidia61; }
