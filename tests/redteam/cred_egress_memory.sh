# SPDX-License-Identifier: Apache-2.0
# F13: the memory of the processes that hold keys.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=cred
CRED=yes
EXPECT='not there'
EVENT='none'
control() { attack; }
attack() { for p in /proc/[0-9]*; do case $(cat $p/comm 2>/dev/null) in oshd|osh-audit|osh-egress) attempt open $p/maps && return;; esac; done; echo not there; false; }
