#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `make fmt` leaves a loop over a list as it is written, and mends what is around it.
. "$(dirname "$0")/../lib.sh"
command -v clang-format >/dev/null || { skip "make fmt" "clang-format is not installed"; tap_done; }

cat >"$TMP/want.c" <<'END'
int f(const struct list *l)
{
	for EACH (struct rule, r, l)
		for EACH (struct endpoint, e, &r->endpoints)
			if (e->port)
				return 1;
	for EACH_WORD (w, l) {
		g(w);
	}
	return 0;
}
END
sed 's/g(w)/g( w )/; s/e->port/e ->port/' "$TMP/want.c" >"$TMP/got.c"
check "it runs" "$ROOT/tests/fmt" "$TMP/got.c"
check "loops over lists stay whole" diff -u "$TMP/want.c" "$TMP/got.c"
tap_done
