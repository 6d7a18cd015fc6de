# SPDX-License-Identifier: Apache-2.0
# G1: a second node of the GPU that was given, to be handed to somebody else.
# shellcheck shell=sh disable=SC2034,SC2154
GPU=nvidia60
EXPECT='errno=(EPERM|EACCES)'
EVENT='none'
control() { attack && rm -f gpu; }
attack() { node gpu 195 60 && device gpu; }
