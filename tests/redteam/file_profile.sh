# SPDX-License-Identifier: Apache-2.0
# A21: what every login shell reads.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { attack && rm /etc/profile.d/evil.sh; }
attack() { attempt write /etc/profile.d/evil.sh; }
