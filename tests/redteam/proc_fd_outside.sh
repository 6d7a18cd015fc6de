# SPDX-License-Identifier: Apache-2.0
# A7: descriptors that the caller had open when the sandbox began.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='cannot|No such|Bad file|not permitted'
EVENT='none'
control() { ls -l /proc/self/fd >/dev/null && readlink "/proc/$HOSTPID/fd/1"; }
attack() { for n in 3 4 5 6 7 8 9 10 11 12; do [ -e /proc/self/fd/$n ] && readlink /proc/self/fd/$n | grep -v "^/proc/" | grep -v '\.run$' | grep -q . && exit 0; done; echo No such; false; }
