# SPDX-License-Identifier: Apache-2.0
# B: an address for the loopback device.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=caps
EXPECT='ermission|not permitted'
EVENT='none'
control() { unshare -n python3 -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(2, 2), 0x8916, struct.pack("16sH2s4s8x", b"lo", 2, b"", bytes([10, 9, 8, 7])))' ; }
attack() { python3 -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(2, 2), 0x8916, struct.pack("16sH2s4s8x", b"lo", 2, b"", bytes([10, 9, 8, 7])))' ; }
