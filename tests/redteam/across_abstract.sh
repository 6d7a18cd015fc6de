# SPDX-License-Identifier: Apache-2.0
# D: an abstract unix socket of a program in the other sandbox.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=caller
EXPECT='errno=(ECONNREFUSED|EPERM|EACCES)'
EVENT='none'
control() { beside attempt unix @osh-redteam-gpu; }
attack() { attempt unix @osh-redteam-gpu; }
