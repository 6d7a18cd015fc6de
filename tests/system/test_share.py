#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Kernel tables belong to all users: one who would take more than half of what the others leave is refused with
the reason, and another one starts all the same. A policy that takes oshd's loop too long is root's alone."""
import os
import re
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, as_user, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, policy  # noqa: E402

A, B = 65534, 65533
# `suffixes` has 2^18 entries: half of them is 131072.
WILD = 50000


def command(d, path, *cmd, name=None):
    return [OSHCTL, "run", "--socket", d.bus, "-p", path, "--workdir", d.work.work, *(["--name", name] if name else []),
            "--", *cmd]


class Held:
    """A sandbox that lives until it is let go."""

    def __init__(self, d, path, uid, name=None):
        self.p = subprocess.Popen(command(d, path, "/bin/sh", "-c", "echo up; read -r _", name=name), stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **as_user(uid))
        self.up = self.p.stdout.readline() == "up\n"
        self.err = "" if self.up else self.p.communicate(timeout=60)[1]

    def end(self):
        if self.up:
            self.p.communicate("\n", timeout=60)


def strict(n):
    """Lists n programs by name: as many inodes in the table of what may run."""
    found = []
    for d, _, files in os.walk("/usr"):
        found += [p for p in (os.path.join(d, f) for f in sorted(files))
                  if re.fullmatch(r"[\w./-]+", p) and not os.path.islink(p)]
        if len(found) >= n:
            break
    return BASE_POLICY.replace("process: {run_as_user: sandbox}\n", "") + "process: {run_as_user: sandbox, exec: {mode: strict, allow: [/bin/sh, " + \
        ", ".join(found[:n]) + "]}}\n"


def wild(n):
    return BASE_POLICY + "network:\n" + "".join(f'  - {{host: "*.a{i}.example", ports: [1]}}\n' for i in range(n))


def ports(n):
    many = ", ".join(map(str, range(1, 65)))
    return BASE_POLICY + "network:\n" + "".join(f"  - {{host: a{i}.example, ports: [{many}]}}\n" for i in range(n))


def tables(t, d, big, small):
    held = [Held(d, big, A, "one"), Held(d, big, A)]
    t.ok(all(h.up for h in held), f"a user has two sandboxes of {WILD} wildcards", [h.err for h in held], d.errors())
    third = Held(d, big, A)
    t.ok(not third.up and "'suffixes'" in third.err and "share" in third.err, "not a third: the table and the share are named",
         third.err)
    rc, out, err = run([OSHCTL, "policy", "set", "one", "-p", big, "--wait", "--socket", d.bus], 60, **as_user(A))
    t.ok(rc != 0 and "'suffixes'" in err, "nor as the next policy of one: both are there for a moment", rc, out, err)
    more = Held(d, small, A)
    t.ok(more.up, "a small one starts all the same", more.err)
    held += [more, Held(d, big, B)]
    t.ok(held[-1].up, "and another user's large one", held[-1].err)
    root = Held(d, big, 0)
    t.ok(root.up, "root's share is what there is", root.err)
    for h in held + [root]:
        h.end()
    again = Held(d, big, A)
    t.ok(again.up, "what has ended counts no more", again.err)
    again.end()


def programs(t, d, path):
    """`run_inodes` has 2^16 entries, and nobody may have more than 64 sandboxes: with 1000 programs each they would fill it."""
    held = []
    while len(held) < 40 and (not held or held[-1].up):
        held.append(Held(d, path, A))
    t.ok(len(held) == 33 and "'run_inodes'" in held[-1].err, "a user's sandboxes with long lists of programs end at his share",
         len(held), held[-1].err)
    other, root = Held(d, path, B), Held(d, path, 0)
    t.ok(other.up, "and another user starts one", other.err)
    t.ok(root.up, "and root", root.err)
    for h in [*held, other, root]:
        h.end()


def sizes(t, d, small, huge):
    """How long others wait is printed and not judged."""
    waits, halt = [], threading.Event()

    def calls():
        while not halt.is_set():
            start = time.monotonic()
            run([OSHCTL, "policy", "set", "nobody", "-p", small, "--socket", d.bus], 60)
            waits.append(time.monotonic() - start)

    refused = Held(d, huge, A)
    t.ok(not refused.up and "KiB" in refused.err and "root" in refused.err, "a policy too large for the loop is refused",
         refused.err)
    x = threading.Thread(target=calls)
    x.start()
    root = Held(d, huge, 0)
    halt.set()
    x.join()
    t.ok(root.up, "and root's alone", root.err)
    print(f"# calls beside the start of a huge policy: median {sorted(waits)[len(waits) // 2]:.2f} s, longest {max(waits):.2f} s")
    root.end()


def main():
    t = Tap()
    with Work() as w:
        os.chmod(w.work, 0o777)
        big, small, huge = (w.write(*x) for x in (("big.yaml", wild(WILD)), ("small.yaml", policy()), ("huge.yaml", ports(4000))))
        with Daemon(w) as d:
            tables(t, d, big, small)
            programs(t, d, w.write("strict.yaml", strict(1000)))
            sizes(t, d, small, huge)
    t.done()


main()
