# SPDX-License-Identifier: Apache-2.0
# G1: more rights than a descriptor has, by opening it again in /proc/self/fd.
# shellcheck shell=sh disable=SC2034,SC2154
GPU='redteam.example/dev=ro'
EXPECT='errno=EPERM'
EVENT='device DEVICE'
ALONE='osh_device'
control() { attack; }
attack() {
	python3 -c '
import errno, os, sys
try:
    os.open("/proc/self/fd/%d" % os.open("/dev/redteam0", os.O_PATH), os.O_RDWR)
except OSError as e:
    if e.errno not in (errno.ENXIO, errno.ENODEV):
        sys.exit("errno=" + errno.errorcode[e.errno])
print("ok")'
}
