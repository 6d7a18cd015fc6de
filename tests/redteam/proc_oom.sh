# SPDX-License-Identifier: Apache-2.0
# E6: to be spared when memory is short, others dying instead.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission denied|not permitted|Read-only'
EVENT='none'
control() { attack || { echo SKIP root of this machine may not either; false; }; }
attack() { sh -c 'echo -1000 >/proc/self/oom_score_adj'; }
