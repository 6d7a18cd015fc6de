#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The network attacks again with one BPF program never attached, for each program in turn, and with
the exec tracker among them: every attack still fails and nothing arrives outside. Needs a test build
(`make TEST=1`), which is made here."""
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ["OSH_BUILD"] = "build/test"
import attacks  # noqa: E402
from lib import ROOT, Tap  # noqa: E402
from world import World  # noqa: E402


def main():
    t = Tap()
    p = subprocess.run(["make", "--no-print-directory", "-j2", "TEST=1", "all", "tools"], cwd=ROOT, text=True,
                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if not t.ok(p.returncode == 0, "a test build is made", p.stdout[-2000:]):
        t.done()
    with World() as w:
        net = [a for a in attacks.all_attacks() if a.net]
        for hook in attacks.hooks(("CGROUP", "EGRESS", "GLOBAL", "NETNS", "TC")):
            for a in net:
                before = w.canary.counts()
                r = a.inside(w, env={"OSH_TEST_OFF": hook})
                t.ok(r.rc != 0 and "ok" not in r.out.split() and w.canary.counts() == before,
                     f"without {hook}: {a.name} is still denied", r)
    t.done()


if __name__ == "__main__":
    main()
