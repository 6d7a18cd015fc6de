# SPDX-License-Identifier: Apache-2.0
# Exec strict: a copy in /tmp.
# shellcheck shell=sh disable=SC2034,SC2154
MORE='process: {exec: {mode: strict, allow: [/bin/sh, /usr/bin/cp, /usr/bin/chmod, /usr/bin/env, /usr/bin/python3]}}'
EXPECT='Permission denied|Errno 13'
EVENT='none'
control() { attack && rm /tmp/copied; }
attack() { cp /usr/bin/env /tmp/copied; /tmp/copied sh -c "echo ok"; }
