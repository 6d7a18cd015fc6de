# SPDX-License-Identifier: Apache-2.0
# D: memory and descriptors of the process that carries the connection, which has the identity of the serving one's programs.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=serving
EXPECT='errno='
EVENT='none'
control() {
	sleep 100 >/dev/null 2>&1 &
	export CARRIER=$!
	calls carrier; r=$?
	kill "$CARRIER"
	return $r
}
attack() { across rogue "$SERVED" carrier; }
