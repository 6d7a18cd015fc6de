# SPDX-License-Identifier: Apache-2.0
# E6: a higher priority than others have.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='EPERM|EACCES|ermission'
EVENT='none'
control() { attack; }
attack() { call setpriority 0 0 -10; }
