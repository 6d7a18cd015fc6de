# SPDX-License-Identifier: Apache-2.0
# G1: a node of a GPU that is another's.
# shellcheck shell=sh disable=SC2034,SC2154
GPU=nvidia60
EXPECT='errno=(EPERM|EACCES)'
EVENT='none'
control() { attack && rm -f gpu; }
attack() { node gpu 195 61 && device gpu; }
