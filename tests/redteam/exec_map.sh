# SPDX-License-Identifier: Apache-2.0
# Exec strict: a loader of one's own maps code of a file that it wrote.
# shellcheck shell=sh disable=SC2034,SC2154
MORE='process: {exec: {mode: strict, allow: [/bin/sh, /usr/bin/cp, /usr/bin/chmod, /usr/bin/env, /usr/bin/python3]}}'
EXPECT='Operation not permitted|Errno 1'
EVENT='none'
ALONE='noexec'
LSM='map MAPPED'
control() { cp /usr/bin/env "$WORK/mapped" && attack; }
attack() { python3 -c 'import mmap, sys; f = open(sys.argv[1], "rb"); mmap.mmap(f.fileno(), 4096, prot=5, flags=2); print("ok")' "$WORK/mapped"; }
