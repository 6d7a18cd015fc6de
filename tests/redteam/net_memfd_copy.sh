# SPDX-License-Identifier: Apache-2.0
# B23: the listed program out of memory: another file.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='ermission|Could ?n.t connect|Failed to connect|not permitted'
EVENT='connect BINARY|NO_IDENTITY|EXEC_UNSEEN|PATH_LONG'
control() { attack; }
attack() {
	python3 -c '
import os, sys
f = os.memfd_create("curl", 0)
os.write(f, open("/usr/bin/curl", "rb").read())
os.execve(f, ["/usr/bin/curl", "-sS", "-m", "20", "--cacert", sys.argv[1], "https://allowed.example/hello"], {})' "$CA"
}
