# SPDX-License-Identifier: Apache-2.0
# B10: an abstract unix socket of the host.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ECONNREFUSED|EPERM|EACCES)'
EVENT='none'
control() { attack; }
attack() { attempt unix @osh-redteam; }
