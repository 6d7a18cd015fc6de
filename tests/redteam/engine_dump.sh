# SPDX-License-Identifier: Apache-2.0
# F13: a supervisor that crashes leaves no memory behind.
# shellcheck shell=sh disable=SC2034,SC2154,SC2010
EXPECT='errno='
EVENT='none'
control() { sleep 5 & kill -SEGV $!; }
attack() { kill -SEGV 1; kill -ABRT 1; ls core core.* 2>/dev/null | grep -q . && exit 0; attempt openw /proc/1/mem; }
