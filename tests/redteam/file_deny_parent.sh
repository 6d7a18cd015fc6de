# SPDX-License-Identifier: Apache-2.0
# A6: the directory above a denied one moved away.
# shellcheck shell=sh disable=SC2034,SC2154
DENY=up/guarded
EXPECT='errno=(EBUSY|EACCES|EPERM|EXDEV)'
EVENT='none'
control() { mkdir -p up/guarded && call rename =up =down && call rename =down =up; }
attack() { call rename =up =down; }
