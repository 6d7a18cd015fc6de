#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The state database under kill -9 and on a full disk: every acknowledged change is there, and of another
one all or nothing."""
import os
import random
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap, run  # noqa: E402
from osh import OSHCTL, OSHD, Daemon, Work, until  # noqa: E402

LOAD = os.path.join(BUILD, "tests/tools/state_load")
KEPT = 32       # revisions
ROUNDS = 40
OTHER = 61234   # a user that no account has


class Model:
    """What the changes of state_load amount to, in the words of its dump."""

    def __init__(self):
        self.boxes = {}

    def copy(self):
        m = Model()
        m.boxes = {k: {**b, "labels": dict(b["labels"]), "policies": list(b["policies"])} for k, b in self.boxes.items()}
        return m

    def apply(self, change):
        verb, name, *rest = change.split()
        if verb == "create":
            self.boxes[name] = {"wanted": 1, "status": -1, "reason": "-", "labels": {}, "policies": [rest[0]]}
        elif verb == "delete":
            del self.boxes[name]
        elif verb == "policy":
            self.boxes[name]["policies"] = (self.boxes[name]["policies"] + [rest[0]])[-KEPT:]
        elif verb == "label":
            self.boxes[name]["labels"] = {rest[0]: rest[1]}
        elif verb == "wanted":
            self.boxes[name].update(wanted=int(rest[1][1:]) % 2, status=int(rest[0]), reason=rest[1])
        return self

    def dump(self):
        out = []
        for name, b in self.boxes.items():
            labels = "".join(f" {k}={v}" for k, v in b["labels"].items())
            policies = " ".join(b["policies"][:-1] + ["*" + b["policies"][-1]])
            out.append(f"sandbox {name} {b['wanted']} {b['status']} {b['reason']} volume=of-{name}{labels} : {policies}")
        return sorted(out)


def follow(model, lines):
    """The model after what was acknowledged, and the change under way (or None)."""
    under_way = None
    for line in lines:
        if line.startswith("+ "):
            under_way = line[2:]
        elif line == "=":
            model.apply(under_way)
            under_way = None
    return model, under_way


def dump(state):
    rc, out, _ = run([LOAD, state, "dump"], 30)
    return sorted(out.splitlines()) if rc == 0 else ["cannot be opened: " + out]


def killed(t, w):
    state, model, wrong, acknowledged = os.path.join(w.dir, "killed"), Model(), [], 0
    rng = random.Random(5)
    for n in range(ROUNDS):
        out = os.path.join(w.dir, "said")
        with open(out, "w") as f:
            p = subprocess.Popen([LOAD, state, str(n + 1)], stdout=f)
        until(lambda: "=" in open(out).read(), 20, 0.005)
        time.sleep(rng.uniform(0, 0.1))
        p.kill()
        p.wait()
        said = open(out).read()
        lines = said.split("\n")[:-1]     # what has no end of line was not said
        acknowledged += lines.count("=")
        try:
            before, under_way = follow(model, lines)
        except KeyError as e:       # it was said of one that an acknowledged change had made, or had not
            wrong.append((n, "not there or there again", e, lines))
            break
        after = before.copy().apply(under_way) if under_way else before
        there = dump(state)
        if there == after.dump():
            model = after
        elif there == before.dump():
            model = before
        else:
            wrong.append((n, under_way, before.dump(), there))
            break
    t.ok(not wrong, f"killed {ROUNDS} times: what was acknowledged is there, nothing is there by half", *wrong)
    t.ok(acknowledged > ROUNDS and model.boxes, "and there was something to lose", acknowledged)


def full_disk(t, w):
    disk = os.path.join(w.dir, "disk")
    os.mkdir(disk, 0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k,mode=0700", "tmpfs", disk], check=True)
    try:
        rc, out, _ = run([LOAD, disk, "1"], 60)
        lines = out.split("\n")[:-1]
        t.ok(rc == 1 and lines[-1].startswith("! ") and f"the disk of '{disk}' is full; nothing was changed" in lines[-1],
             "a full disk is said, with what to do", lines[-1:])
        model, _ = follow(Model(), lines)
        t.ok(model.boxes and dump(disk) == model.dump(), "what was acknowledged is there", dump(disk), model.dump())
        subprocess.run(["mount", "-o", "remount,size=8m", disk], check=True)
        p = subprocess.Popen([LOAD, disk, "2"], stdout=subprocess.PIPE, text=True)
        lines = [p.stdout.readline().strip() for _ in range(40)]
        p.kill()
        lines += p.stdout.read().split("\n")[:-1]
        p.wait()
        model, under_way = follow(model, lines)
        t.ok(lines.count("=") >= 19 and dump(disk) in (model.dump(), model.copy().apply(under_way or "none x").dump()),
             "with more room it goes on", lines[-3:])
    finally:
        subprocess.run(["umount", disk], check=True)


def lasting(lines):
    """A dump without what an oshd that tried to start them wrote."""
    return [(line.split()[1], line.split(" volume=")[1]) for line in lines]


def oshd_refuses(d, *words):
    rc, _, err = run([OSHD, "--state", d.state], 20)
    return rc == 1 and all(w in err for w in words), err


def backups(t, w):
    d = Daemon(w)
    db, copy = os.path.join(d.state, "osh.db"), os.path.join(w.dir, "copy.db")
    os.mkdir(d.state, 0o755)
    with subprocess.Popen([LOAD, d.state, "3"], stdout=subprocess.PIPE, text=True) as p:
        while sum(line == "=\n" for line in (p.stdout.readline() for _ in range(4))) == 0:
            pass
        p.kill()
    before = dump(d.state)
    with d:
        rc, _, err = run([OSHCTL, "backup", copy, "--socket", d.bus], 30)
        t.ok(rc == 0 and os.stat(copy).st_mode & 0o777 == 0o600, "a backup is written while oshd runs", err)
        piped = os.path.join(w.dir, "piped")
        os.mkdir(piped, 0o700)
        rc, out, err = run(["sh", "-c", f"umask 077; {OSHCTL} backup - --socket {d.bus} | cat >{piped}/osh.db"], 30)
        t.ok(rc == 0 and lasting(dump(piped)) == lasting(before), "to a pipe, too", out, err, dump(piped))
        rc, out, err = run([OSHCTL, "backup", "-", "--socket", d.bus], 30, user=OTHER, group=OTHER, extra_groups=[])
        t.ok(rc == 1 and not out and "osh-admin" in err, "another user gets none", err)
        rc, _, err = run([OSHCTL, "backup", "/dev/full/x", "--socket", d.bus], 30)
        t.ok(rc == 1 and "/dev/full/x" in err, "a place that cannot be written is said", err)
        full = os.path.join(w.dir, "full")
        os.mkdir(full, 0o700)
        run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", full])
        rc, _, err = run(["sh", "-c", f"{OSHCTL} backup - --socket {d.bus} >{full}/osh.db"])
        run(["umount", full])
        t.ok(rc == 1 and "what was written is not one" in err, "and a full one", err)
        rc, _, err = run(["sh", "-c", f"{OSHCTL} backup - --socket {d.bus} >/dev/full"])
        t.ok(rc == 1 and "neither a file nor a pipe" in err, "a device is refused", err)
    with open(db, "r+b") as f:
        f.seek(8192)
        f.write(b"\xa5" * 4096)
    good, err = oshd_refuses(d, "is damaged", "docs/state.md")
    t.ok(good, "a damaged database is refused, with what to do", err)
    t.ok(open(db, "rb").read()[8192:12288] == b"\xa5" * 4096, "and left as it is")
    os.remove(db)
    os.rename(copy, db)
    with d:
        pass
    t.ok(before and lasting(dump(d.state)) == lasting(before), "the backup in its place brings everything back", dump(d.state), before)
    subprocess.run([sys.executable, "-c", "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version=99')",
                    db], check=True)
    good, err = oshd_refuses(d, "schema 99", "newer oshd")
    t.ok(good, "a newer schema is refused, with what to do", err)


def main():
    t = Tap()
    with Work() as w:
        killed(t, w)
        full_disk(t, w)
        backups(t, w)
    t.done()


main()
