# SPDX-License-Identifier: Apache-2.0
# Exec strict: a script in the working directory; sh would read it, and is not asked to.
# shellcheck shell=sh disable=SC2034,SC2154
MORE='process: {exec: {mode: strict, allow: [/bin/sh, /usr/bin/cp, /usr/bin/chmod, /usr/bin/env, /usr/bin/python3]}}'
EXPECT='Permission denied|Errno 13'
EVENT='none'
control() { printf "#!/bin/sh\necho ok\n" >"$WORK/script" && chmod 755 "$WORK/script" && attack; }
attack() { /usr/bin/env "$WORK/script"; }
