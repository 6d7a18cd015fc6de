# SPDX-License-Identifier: Apache-2.0
# E14: another group.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=|EPERM|not permitted'
EVENT='none'
control() { attack; }
attack() { python3 -c "import os; os.setresgid(6, 6, 6)"; }
