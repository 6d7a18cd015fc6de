# SPDX-License-Identifier: Apache-2.0
# D: a stream goes on after `serve` has taken its caller's name away: who carries it was stopped before.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=serving
EXPECT='nothing came of it'
EVENT='serve ALLOWED'
control() {
	sleep 100 >/dev/null 2>&1 &
	export CARRIER=$!
	touch withdrawn
	calls keep; r=$?
	kill "$CARRIER"
	rm -f withdraw withdrawn
	return $r
}
attack() { across rogue "$SERVED" keep; }
