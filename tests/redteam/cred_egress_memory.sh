# SPDX-License-Identifier: Apache-2.0
# F13: the memory of the process that holds the key.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=cred
CRED=yes
EXPECT='not there'
EVENT='none'
control() { attempt open "/proc/$HOSTPID/maps"; }
attack() { for p in /proc/[0-9]*; do [ "$(cat $p/comm 2>/dev/null)" = osh-egress ] && exit 0; done; echo not there; false; }
