# SPDX-License-Identifier: Apache-2.0
# G1: a node that somebody outside left in the working directory.
# shellcheck shell=sh disable=SC2034,SC2154
GPU=nvidia60
EXPECT='errno=(EPERM|EACCES)'
EVENT='none'
control() { rm -f left; node left 195 61 && device left; }
attack() { device left; }
