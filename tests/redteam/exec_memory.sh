# SPDX-License-Identifier: Apache-2.0
# Exec strict: memory without a name.
# shellcheck shell=sh disable=SC2034,SC2154
MORE='process: {exec: {mode: strict, allow: [/bin/sh, /usr/bin/cp, /usr/bin/chmod, /usr/bin/env, /usr/bin/python3]}}'
EXPECT='Permission denied|Errno 13'
EVENT='none'
ALONE='noexec'
LSM='exec EXEC_STRICT'
control() { attack; }
attack() { python3 -c 'import os; f = os.memfd_create("x", 0); os.write(f, open("/usr/bin/env", "rb").read()); os.execve(f, ["env", "sh", "-c", "echo ok"], {"PATH": "/usr/bin:/bin"})' ; }
