# SPDX-License-Identifier: Apache-2.0
# D: the backend has a place in the policy's tables: its address, if it had one, beside that of inference.local.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=caller
EXPECT='errno=(EACCES|EPERM)'
EVENT='connect DEST_UNKNOWN|PORT|BINARY'
control() { beside attempt connect 127.0.0.1 8000; }
attack() {
	for n in $(seq 1 64); do
		attempt connect "198.18.0.$n" 8000 && return 0
	done
	false
}
