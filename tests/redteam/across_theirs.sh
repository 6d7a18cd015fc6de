# SPDX-License-Identifier: Apache-2.0
# D: is there a sandbox of another user's of that name? It and one that nobody has are answered alike.
# shellcheck shell=sh disable=SC2034,SC2154
POLICY=none
ACROSS=caller
EXPECT='no sandbox of this user'
EVENT='egress PEER_AWAY'
control() { "$ENGINE/oshctl" sandbox get --socket "$BUS" theirs && ! "$ENGINE/oshctl" sandbox get --socket "$BUS" nobody; }
attack() {
	for n in theirs nobody; do
		by_route "{\"model\": \"$n\", \"messages\": []}" | sed "s/$n/NAME/g" >"answer-$n"
	done
	cat answer-theirs
	! cmp -s answer-theirs answer-nobody || grep -q said answer-theirs
}
