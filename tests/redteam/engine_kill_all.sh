# SPDX-License-Identifier: Apache-2.0
# F3: a signal to everybody there is.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ESRCH|EPERM)'
EVENT='none'
control() { attempt kill "$HOSTPID"; }
attack() { trap "" TERM; kill -TERM -1; attempt kill "$HOSTPID"; }
