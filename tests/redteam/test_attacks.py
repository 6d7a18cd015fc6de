#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every attack of this directory once: works outside, fails inside as expected, and is on record.
`test_attacks.py [NAME...]` runs some; a name may be a pattern, `net_*`. In the virtual machine, where time is dear, those that
only the kernel of the day decides: what hooks of the network and LSM programs hold, and what Landlock tells."""
import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import attacks  # noqa: E402
import stage  # noqa: E402
from lib import Tap  # noqa: E402


def wanted(a):
    return not os.environ.get("OSH_VM") or a.net or any(f in a.field for f in ("LSM", "DENY", "TOLD"))


def main():
    t = Tap()
    with attacks.staged() as w, w.resident():
        for a in filter(wanted, attacks.all_attacks(sys.argv[1:])):
            worked, text = a.control(w)
            if not worked and "SKIP" in text:
                t.skip(a.name, text.split("SKIP", 1)[1].strip().splitlines()[0])
                continue
            if not t.ok(worked, f"{a.name}: works outside", text):
                continue
            before = attacks.arrived(w)
            r = a.inside(w)
            got = (r.out + r.err).strip()
            t.ok(r.rc not in (0, 125) and re.search(a.field["EXPECT"], got), f"{a.name}: denied inside", r)
            t.ok(not a.event_missing(r), f"{a.name}: on record", a.event_missing(r), r)
            t.ok(attacks.arrived(w) == before, f"{a.name}: nothing arrived outside", before, attacks.arrived(w))
    t.done()


if __name__ == "__main__":
    stage.enter()
    main()
