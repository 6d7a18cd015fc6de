# SPDX-License-Identifier: Apache-2.0
"""TAP for python tests: every function t_* of the caller, in order; a failure shows its traceback."""
import sys
import time
import traceback


class Skip(Exception):
    pass


def skip_all(why):
    print("1..1\nok 1 - all # SKIP " + why)
    sys.exit(0)


def run(names):
    tests = [(n[2:].replace("_", " "), f) for n, f in names.items() if n.startswith("t_")]
    if len(sys.argv) > 1:
        tests = [t for t in tests if any(a in t[0] for a in sys.argv[1:])]
    bad = 0
    print("1..%d" % len(tests))
    for i, (name, f) in enumerate(tests, 1):
        start = time.monotonic()
        try:
            f()
            print("ok %d - %s (%d ms)" % (i, name, (time.monotonic() - start) * 1000), flush=True)
        except Skip as s:
            print("ok %d - %s # SKIP %s" % (i, name, s), flush=True)
        except Exception:
            bad += 1
            print("not ok %d - %s" % (i, name))
            for line in traceback.format_exc().splitlines():
                print("# " + line)
            sys.stdout.flush()
    sys.exit(1 if bad else 0)
