# SPDX-License-Identifier: Apache-2.0
# B24: a descriptor out of another process: sockets, files, listeners.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno=EPERM'
EVENT='syscall SYSCALL'
control() { python3 -c "import ctypes,os,signal; l=ctypes.CDLL(None); p=os.pidfd_open(int('$HOSTPID')); assert l.syscall(438,p,0,0)>=0"; }
attack() { call pidfd_getfd 0 0 0; }
