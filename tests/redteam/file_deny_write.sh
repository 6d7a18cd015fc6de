# SPDX-License-Identifier: Apache-2.0
# A file in a directory of the working directory that the policy denies. Without LSM programs a mount answers, and is not on record.
# shellcheck shell=sh disable=SC2034,SC2154
DENY=guarded
EXPECT='errno=(EROFS|EPERM|EACCES)'
EVENT='none'
control() { mkdir -p guarded && attack && rm guarded/x; }
attack() { attempt write guarded/x; }
