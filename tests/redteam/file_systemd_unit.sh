# SPDX-License-Identifier: Apache-2.0
# E12: a service of the machine.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { mkdir -p /etc/systemd/system && attack && rm /etc/systemd/system/evil.service; }
attack() { attempt write /etc/systemd/system/evil.service; }
