# SPDX-License-Identifier: Apache-2.0
# E12: a job for the clock.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=(ENOENT|EACCES|EPERM|EROFS)'
EVENT='none'
control() { mkdir -p /var/spool/cron/crontabs && attack && rm /var/spool/cron/crontabs/root; }
attack() { attempt write /var/spool/cron/crontabs/root; }
