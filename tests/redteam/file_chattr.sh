# SPDX-License-Identifier: Apache-2.0
# A17: a file that nobody can delete afterwards.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='not permitted|ermission|not supported|Inappropriate'
EVENT='none'
control() { python3 -c "import fcntl,os,struct; f=os.open('attempt', 0); fcntl.ioctl(f, 0x40086602, struct.pack('l', 16)); fcntl.ioctl(f, 0x40086602, struct.pack('l', 0))" || { echo SKIP this file system has no such mark; false; }; }
attack() { python3 -c 'import fcntl,os,struct; fcntl.ioctl(os.open("attempt", 0), 0x40086602, struct.pack("l", 16))' ; }
