# SPDX-License-Identifier: Apache-2.0
# A: watching what happens in a directory outside.
# shellcheck shell=sh disable=SC2034,SC2154
ALONE=view
EXPECT='errno=(ENOENT|EACCES|EPERM|ENOTDIR)'
EVENT='none'
control() { attack; }
attack() { python3 -c "import ctypes,sys; l=ctypes.CDLL(None); f=l.inotify_init(); r=l.inotify_add_watch(f, sys.argv[1].encode(), 256); print('errno=ENOENT' if r < 0 else 'ok'); sys.exit(r < 0)" "$WORLD/home"; }
