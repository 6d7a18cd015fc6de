# SPDX-License-Identifier: Apache-2.0
# A: a file that the policy does not name.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=ENOENT'
EVENT='none'
control() { attempt open "$SECRET"; }
attack() { attempt open "$SECRET"; }
