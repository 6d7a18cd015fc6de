# SPDX-License-Identifier: Apache-2.0
# G3: a descriptor for ioctl() alone, without a right to read or write (access mode 3).
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
    os.open("/dev/redteam0", 3)
except OSError as e:
    if e.errno not in (errno.ENXIO, errno.ENODEV):
        sys.exit("errno=" + errno.errorcode[e.errno])
print("ok")'
}
