# SPDX-License-Identifier: Apache-2.0
# F13: the key in a process' environment or arguments.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=cred
CRED=yes
EXPECT='not there'
EVENT='none'
control() { KEY=$KEY cat /proc/self/environ | grep -aq redteam-key; }
attack() { cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null | grep -aq 'redteam-ke[y]' && exit 0; echo not there; false; }
