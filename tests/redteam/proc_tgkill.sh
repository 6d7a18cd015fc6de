# SPDX-License-Identifier: Apache-2.0
# E2: a signal to a thread outside.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM)'
EVENT='none'
control() { attempt tgkill "$HOSTPID"; }
attack() { attempt tgkill "$HOSTPID"; }
