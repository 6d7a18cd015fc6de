# SPDX-License-Identifier: Apache-2.0
# E2: F_SETOWN: the kernel sends the signal, later, in another's name.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ESRCH|EPERM|No such process'
EVENT='none'
control() {
	python3 -c '
import fcntl, os, sys
r, w = os.pipe()
fcntl.fcntl(r, fcntl.F_SETOWN, int(sys.argv[1]))' "$HOSTPID"
}
attack() { control; }
