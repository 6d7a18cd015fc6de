#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `oshctl policy prove --with` finds really happens: each step that it tells of is made in a sandbox under the policy that
it is told of, and the secret is outside. By a file of the host, by a volume, by a third sandbox between two; and where the way
is said not to be there, the same steps lead nowhere."""
import json
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from replaying import OSHCTL, PROBE, PYTHON, SECRET, came_of, found_by, prepare, replay, rules  # noqa: E402
from world import World  # noqa: E402

SEND = rules("{host: plain.example, port: 80}")


def ask(w, boxes):
    """boxes: (name, policy, volumes, working directory). What is found, and {file: name}."""
    files = {w.write(f"{name}.yaml", policy): name for name, policy, *_ in boxes}
    args = []
    for n, (file, (_, _, volumes, workdir)) in enumerate(zip(files, boxes)):
        args += (["--with", file] if n else []) + ["-w", workdir] + [x for v in volumes for x in ("--volume", v)]
    found, said = found_by(args, [next(iter(files))])
    return [f for f in found if f["category"] == "flow"], files, said


def steps(w, f, files, name):
    """What the finding tells of this sandbox; the file that is read is the one that is there."""
    asked = [q["request"] for q in f["requests"] if files[q["policy"]] == name]
    return [f"open {w.work}/.env read" if q.endswith("/.env read") else q for q in asked]


def outside(w):
    return any(SECRET in path for _, path in w.requests())


def forget(w):
    for server in (w.tls4, w.tls6, w.plain):
        server.seen.clear()


class Sandboxes:
    """Created ones, which may have volumes; each keeps what it read from one step to the next."""

    def __init__(self, w):
        self.w, self.names = w, []

    def ctl(self, *args):
        return run([OSHCTL, "sandbox", args[0], "--socket", self.w.daemon.bus, *args[1:]], 120)

    def create(self, name, policy, volumes, work):
        args = [x for v in volumes for x in ("--volume", v)]
        self.names.append(name)
        return self.ctl("create", "-n", name, "-p", self.w.write(f"box-{name}.yaml", policy), "-w", work, *args)

    def steps(self, name, requests):
        rc, out, err = self.ctl("exec", "-T", name, "--", PYTHON, "-c", PROBE, json.dumps(requests))
        return came_of(out), (rc, out, err)

    def delete(self):
        for name in self.names:
            self.ctl("delete", "-f", name)
        self.names = []


def by_file(w, t):
    """A tree of the host that one policy lets be written and the other one read."""
    shared = os.path.join(w.dir, "shared")
    os.mkdir(shared)
    os.chmod(shared, 0o777)
    tmp = "read_write: [/tmp, "
    reader, sender = w.policy("").replace(tmp, f"{tmp}{shared}, "), w.policy(SEND, read_only=[shared])
    # Another working directory, so that the one that they have in common is not the way.
    mine, files, said = ask(w, (("reader", reader, (), w.work), ("sender", sender, (), "/nowhere")))
    if not t.ok(mine, "by a file: found", said):
        return
    forget(w)
    asked = steps(w, mine[0], files, "reader"), steps(w, mine[0], files, "sender")
    asked[0][0] = f"open {w.work}/.env read"
    first, r = replay(w, reader, asked[0])
    t.ok([g.split()[0] for g in first] == ["read", "written"], "by a file: one sandbox reads it, and writes it down", asked, first, r)
    then, r = replay(w, sender, asked[1])
    t.ok(outside(w), "by a file: another one has sent it", asked, then, w.requests(), r)


# In the order of the way: (what, sandboxes as (name, what it may, volumes), the volumes by which each hands it on)
VOLUMES = (
    ("by a volume", (("reader", "", ("out:/out",)), ("sender", SEND, ("out:/in:ro",))), (("/out", "/in"),)),
    ("by a volume of a third one", (("reader", "", ("out:/out",)), ("between", "", ("out:/took:ro", "on:/gave")), ("sender", SEND, ("on:/in:ro",))),
     (("/out", "/took"), ("/gave", "/in"))),
)


def hand_on(w, boxes, names, places, asked):
    """Each sandbox in its turn: what it is told to do, and handing on by the volume as the finding says. What came of it."""
    came = []
    for i, name in enumerate(names):
        todo = list(asked[name])
        if i:
            todo.insert(0, f"open {places[i - 1][1]}/handed read")
        if i + 1 < len(names):
            todo.append(f"open {places[i][0]}/handed write")
        got, said = boxes.steps(name, todo)
        came.append((name, todo, got, said))
    return came


def furnish(w, rows):
    """As ask() has them: the project is the working directory of who reads; each other one has its own."""
    made = []
    for name, endpoints, volumes in rows:
        work = w.work if name == "reader" else os.path.join(w.dir, "work-" + name)
        os.makedirs(work, exist_ok=True)
        made.append((name, w.policy(endpoints), volumes, work))
    return made


def by_volume(w, t, what, rows, places):
    boxes = Sandboxes(w)
    names = [name for name, *_ in rows]
    made = furnish(w, rows)
    found, files, said = ask(w, made)
    mine = [f for f in found if files[f["requests"][0]["policy"]] == "reader"]
    told = [f"'{v[0].split(':')[0]}' ({a} under" in f["says"] for f in mine[:1] for v, (a, _) in zip([r[2] for r in rows][-1:], places[-1:])]
    if not t.ok(mine and told == [True], f"{what}: found, and which volume", said, found):
        return
    made = [boxes.create(*box) for box in made]
    t.ok(all(rc == 0 for rc, *_ in made), f"{what}: such sandboxes are created", made)
    forget(w)
    came = hand_on(w, boxes, names, places, {n: steps(w, mine[0], files, n) for n in names})
    t.ok(came[0][2][:1] == ["read " + SECRET] and "written" in came[0][2], f"{what}: one reads it, and writes it into the volume", *came)
    t.ok(came[-1][2][:1] == ["read " + SECRET], f"{what}: the last one reads it there", *came)
    t.ok(outside(w), f"{what}: and has sent it", w.requests(), *came)
    boxes.delete()


def no_way(w, t):
    """A volume that who reads may not write; and two that have one name in common, and not one volume."""
    rows = (("reader", "", ("dry:/out:ro",)), ("sender", SEND, ("dry:/in",)))
    made = furnish(w, rows)
    mine, _, said = ask(w, made)
    t.ok(not mine and said[0] == 0, "a volume that who reads may not write: proved", said, mine)
    boxes = Sandboxes(w)
    made = [boxes.create(*box) for box in made]
    forget(w)
    came = hand_on(w, boxes, ["reader", "sender"], (("/out", "/in"),), {"reader": [f"open {w.work}/.env read"],
                                                                        "sender": ["connect plain.example:80"]})
    t.ok(came[0][2][0] == "read " + SECRET and came[0][2][1].startswith("error") and came[1][2][0].startswith("error"),
         "and in sandboxes nothing is handed on", made, *came)
    t.ok(w.requests() and not outside(w), "so what is sent is nothing", w.requests(), *came)
    boxes.delete()


def main():
    t = Tap()
    if os.geteuid():
        t.skip("flows between real sandboxes", "needs root")
        t.done()
    with World() as w:
        prepare(w)
        with w.resident():
            by_file(w, t)
            for row in VOLUMES:
                by_volume(w, t, *row)
            no_way(w, t)
    t.done()


if __name__ == "__main__":
    main()
