# SPDX-License-Identifier: Apache-2.0
# F: the daemon's own directory of /proc.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=view
EXPECT='errno=ENOENT'
EVENT='none'
control() { for p in /proc/[0-9]*; do case $(cat $p/comm 2>/dev/null) in oshd) exit 0;; esac; done; false; }
attack() { for p in /proc/[0-9]*; do case $(cat $p/comm 2>/dev/null) in oshd|osh-front|osh-launch|osh-audit|osh-egress) exit 0;; esac; done; echo errno=ENOENT; false; }
