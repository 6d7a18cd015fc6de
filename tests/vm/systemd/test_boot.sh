#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The guest itself: systemd is process 1, the system bus answers, units start, and a reboot keeps the disk.
if [ "$OSH_BOOT" = 1 ]; then
	echo 1 >/var/tmp/kept
	exit 75
fi
. "$(dirname "$0")/../../lib.sh"
running() {
	state=$(systemctl is-system-running --wait)
	[ "$state" = running ] || { echo "$state"; systemctl --failed --no-pager; return 1; }
}
check "systemd is process 1" grep -qx systemd /proc/1/comm
check "the system is running, nothing has failed" running
check "the system bus answers" busctl --system call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus GetId
check "a reboot keeps the disk" grep -qx 1 /var/tmp/kept
check "a transient unit runs as a user with a limit" systemd-run -q --wait -p MemoryMax=64M -p User=ann true
check "LSM programs are asked" grep -q bpf /sys/kernel/security/lsm
tap_done
