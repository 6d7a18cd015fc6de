#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The network attacks again with one BPF program never attached, for each program in turn, the exec
tracker among them; and with the egress killed whenever it appears. Every attack still fails and nothing
arrives outside. Needs a test build (`make TEST=1`), which is made here."""
import os
import sys
import threading

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ["OSH_BUILD"] = "build/test"
import attacks  # noqa: E402
import stage  # noqa: E402
from lib import Tap, test_build  # noqa: E402
from osh import kill, pids_of  # noqa: E402


def all_denied(t, w, net, how):
    """One line for each attack; any output `ok` is a success of the attacker."""
    for a in net:
        before = attacks.arrived(w)
        r = a.inside(w)
        t.ok(r.rc not in (0, 125) and "ok" not in r.out.split() and attacks.arrived(w) == before,
             f"{how}: {a.name} is still denied", r)


def kill_egress(stop):
    while not stop.wait(0.002):
        kill(pids_of("osh-egress"))


def main():
    t = Tap()
    test_build(t)
    with attacks.staged() as w:
        net = [a for a in attacks.all_attacks() if a.net]
        for hook in attacks.hooks(("CGROUP", "EGRESS", "GLOBAL", "NETNS", "TC")):
            with w.resident(env={"OSH_TEST_OFF": hook}):
                all_denied(t, w, net, f"without {hook}")
        stop = threading.Event()
        killer = threading.Thread(target=kill_egress, args=(stop,))
        with w.resident():
            killer.start()
            all_denied(t, w, net, "egress killed")
            stop.set()
            killer.join()
    t.done()


if __name__ == "__main__":
    stage.enter()
    main()
