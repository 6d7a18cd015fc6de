# SPDX-License-Identifier: Apache-2.0
# E6: to be spared when memory is short, others dying instead.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission denied|not permitted|Read-only'
EVENT='none'
control() { sh -c 'echo 500 >/proc/self/oom_score_adj && echo 400 >/proc/self/oom_score_adj'; }
attack() { sh -c 'echo -1000 >/proc/self/oom_score_adj'; }
