# SPDX-License-Identifier: Apache-2.0
# A17: a file that nobody can delete afterwards.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='not permitted|ermission|not supported|Inappropriate'
EVENT='none'
control() { attack && chattr -i mine || { echo SKIP this file system has no such mark; false; }; }
attack() { : >mine && chattr +i mine; }
