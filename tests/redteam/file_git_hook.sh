# SPDX-License-Identifier: Apache-2.0
# A20: a hook that runs when the owner next commits, outside.
# shellcheck shell=sh disable=SC2034,SC2154
DENY=.git/hooks
EXPECT='errno=(EROFS|EPERM|EACCES)'
EVENT='none'
control() { mkdir -p .git/hooks && attack && rm .git/hooks/pre-commit; }
attack() { attempt write .git/hooks/pre-commit; }
