#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An agent that hides behind its own noise: thousands of different denials, then the one that matters. The
auditor lives, every denial is counted, and what the budget no longer records is said. (More than 128
different denials once killed the auditor: sorting them asked for the machine's memory.)"""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from attacks import POLICIES  # noqa: E402
from lib import Tap  # noqa: E402
from world import World  # noqa: E402

FLOOD = """
import socket
for i in range(%d):
    s = socket.socket()
    try: s.connect(("10.%%d.%%d.1" %% (i // 250, i %% 250), 1000 + i))
    except OSError: pass
    s.close()
"""


def main():
    t = Tap()
    with World() as w:
        for n in (200, 3000):
            r = w.run(w.policy(POLICIES["any"]), ["python3", "-c", FLOOD % n])
            said = re.search(r"osh: (\d+) denials", r.err)
            t.ok(r.rc == 0 and "osh-audit ended" not in r.err, f"{n} different denials: the auditor lives", r.err[-500:])
            t.ok(said and int(said.group(1)) >= n, f"{n} different denials: all are counted", r.err[-500:])
            t.ok(any(e.kind == "life" and e.why == "ENDED" for e in r.events), f"{n} different denials: the log has its end")
            seen = sum(e.kind == "connect" for e in r.events)
            t.ok(seen >= min(n, 2000), f"{n} different denials: a line for each up to the budget", seen)
    t.done()


if __name__ == "__main__":
    main()
