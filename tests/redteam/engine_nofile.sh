# SPDX-License-Identifier: Apache-2.0
# E6: every descriptor that it may have, and the engine still answers.
# shellcheck shell=sh disable=SC2034,SC2154
EXPECT='errno='
EVENT='connect DEST_UNKNOWN'
control() { attack; }
attack() {
	python3 -c '
import resource, socket, sys
held = []
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
try:
    while True: held.append(socket.socket())
except OSError: held = held[:10]
s = socket.socket()
try: s.connect((sys.argv[1], int(sys.argv[2])))
except OSError as e: sys.exit("errno=" + str(e))' "$ADDRESS" "$PORT"
}
