# SPDX-License-Identifier: Apache-2.0
# F13: the key in the environment.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=cred
CRED=yes
EXPECT='not there'
EVENT='none'
control() { KEY=$KEY env | grep -q redteam-key; }
attack() { env | grep -q redteam-key && exit 0; echo not there; false; }
