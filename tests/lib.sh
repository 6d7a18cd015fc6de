# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2034
# Sourced by test scripts: TAP output and a private directory that is removed at the end.
# Use: . "$(dirname "$0")/../lib.sh"; then ok/not_ok/skip/check, and `tap_done` last.

TESTS=$(cd "$(dirname "$0")/.." && pwd); while [ ! -f "$TESTS/lib.sh" ]; do TESTS=${TESTS%/*}; done
ROOT=${TESTS%/*}
BUILD=$ROOT/${OSH_BUILD:-build}
TAP_N=0 TAP_BAD=0
TMP=$(mktemp -d "${TMPDIR:-/tmp}/osh-test.XXXXXX"); chmod 755 "$TMP"
trap 'rm -rf "$TMP"' EXIT
trap 'exit 1' INT TERM HUP

ok() { TAP_N=$((TAP_N + 1)); echo "ok $TAP_N - $*"; }
not_ok() { TAP_N=$((TAP_N + 1)); TAP_BAD=$((TAP_BAD + 1)); echo "not ok $TAP_N - $*"; }
skip() { TAP_N=$((TAP_N + 1)); echo "ok $TAP_N - $1 # SKIP $2"; }
# check NAME CMD...: ok when the command succeeds; its output is shown only when it fails.
check() {
	_name=$1; shift
	if "$@" >"$TMP/check.out" 2>&1; then ok "$_name"; else not_ok "$_name"; sed 's/^/# /' "$TMP/check.out"; fi
}
tap_done() { echo "1..$TAP_N"; [ "$TAP_BAD" -eq 0 ]; exit $?; }
