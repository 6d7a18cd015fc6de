# SPDX-License-Identifier: Apache-2.0
# Exec strict: by a listed program that executes others.
# shellcheck shell=sh disable=SC2034,SC2154
MORE='process: {exec: {mode: strict, allow: [/bin/sh, /usr/bin/cp, /usr/bin/chmod, /usr/bin/env, /usr/bin/python3]}}'
EXPECT='Permission denied|Errno 13'
EVENT='none'
TOLD='landlock LANDLOCK'
ALONE='landlock'
LSM='exec EXEC_STRICT'
control() { /usr/bin/env /usr/bin/id && echo ok; }
attack() { /usr/bin/env /usr/bin/id && echo ok; }
