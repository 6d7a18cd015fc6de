#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A resident oshd with created sandboxes: killed in a loop of creates, policies, labels and deletions, on a
full disk, and what its database then has; revisions from the command line."""
import json
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, kill, until  # noqa: E402

OTHER = 61234       # a user that no account has
ROUNDS = 12
FILES = 50000       # in a home: it takes a while to remove them
USERS = {"user": OTHER, "group": OTHER, "extra_groups": []}


def text(n):
    return BASE_POLICY + f"network:\n  - {{host: h{n}.example}}\n"


class Ctl:
    def __init__(self, w, d):
        self.w, self.d = w, d

    def __call__(self, *args, **kw):
        return run([OSHCTL, *args, "--socket", self.d.bus], 60, **kw)

    def policy(self, n, body=None):
        return self.w.write(f"p{n}.yaml", body or text(n))

    def list(self):
        return {b["name"]: b for b in json.loads(self("sandbox", "list", "--json")[1] or "[]")}

    def revisions(self, name):
        rc, out, err = self("policy", "list", name, "--json")
        return json.loads(out) if rc == 0 else []

    def in_force(self, name):
        return next((r["revision"] for r in self.revisions(name) if r["in-force"]), None)

    def clean(self):
        for name in self.list():
            self("sandbox", "delete", "-f", name)


def revisions(t, w, d, ctl):
    rc, out, err = ctl("sandbox", "create", "-n", "box", "-p", ctl.policy(1), "-w", w.work)
    t.ok(rc == 0, "a sandbox is created", out, err, d.errors())
    for n in (2, 3):
        rc, out, err = ctl("policy", "set", "box", "-p", ctl.policy(n))
        t.ok(rc == 0 and f"revision {n}" in out, f"policy {n} is a revision of it", out, err, d.errors())
    r = ctl.revisions("box")
    t.ok([x["revision"] for x in r] == [1, 2, 3] and [x["in-force"] for x in r] == [False, False, True] and
         len({x["hash"] for x in r}) == 3, "they are listed", r)
    t.ok("* 3" in ctl("policy", "list", "box")[1], "for people, too", ctl("policy", "list", "box"))
    t.ok(ctl("policy", "get", "box")[1] == text(3) and ctl("policy", "get", "box", "--rev", "1")[1] == text(1),
         "each comes back as it was given")
    with open(os.path.join(w.dir, "got.bundle"), "wb") as f:
        p = subprocess.run([OSHCTL, "policy", "get", "box", "--rev", "2", "--bundle", "--socket", d.bus], stdout=f)
    run([OSHCTL, "policy", "compile", ctl.policy(2), "-o", os.path.join(w.dir, "want.bundle")])
    t.ok(p.returncode == 0 and open(f.name, "rb").read() == open(os.path.join(w.dir, "want.bundle"), "rb").read(),
         "or as it was compiled")
    rc, out, err = ctl("policy", "rollback", "box", "--rev", "1")
    t.ok(rc == 0 and ctl.in_force("box") == 4 and ctl.revisions("box")[-1]["from"] == 1 and
         ctl("policy", "get", "box")[1] == text(1), "a rollback is a new revision with that policy", out, err, d.errors())
    for args, word in ((("rollback", "box", "--rev", "9"), "no revision 9"), (("rollback", "box", "--rev", "4"), "in force"),
                       (("get", "box", "--rev", "9"), "no revision 9"), (("list", "none"), "no sandbox")):
        rc, _, err = ctl("policy", *args)
        t.ok(rc == 1 and word in err, f"policy {' '.join(args)} is refused", err)
    for verb in (("list",), ("get",), ("rollback", "--rev", "1")):
        rc, _, err = ctl("policy", verb[0], "box", *verb[1:], **USERS)
        t.ok(rc == 1 and "no sandbox of yours" in err, f"another user: policy {verb[0]} finds none", err)
    rc, _, err = ctl("policy", "set", "box", "-p", ctl.policy(9), **USERS)
    t.ok(rc == 1 and "no sandbox of yours" in err and ctl.in_force("box") == 4, "nor sets one", err)


def refused(t, w, d, ctl):
    rc, _, err = ctl("policy", "set", "box", "-p", w.write("bad.yaml", "version: 1\nnetwork: 7\n"))
    t.ok(rc == 1 and ctl.in_force("box") == 4, "a bad policy is no revision", err)
    static = text(5).replace("read_only: [", "read_only: [/opt, ")
    rc, _, err = ctl("policy", "set", "box", "-p", w.write("static.yaml", static))
    t.ok(rc == 1 and "filesystem_policy" in err and ctl.in_force("box") == 4 and len(ctl.revisions("box")) == 4,
         "a static change is refused with its field, and no revision", err)
    rc, _, err = ctl("sandbox", "stop", "box")
    rc2, out, err2 = ctl("policy", "set", "box", "-p", w.write("static.yaml", static))
    t.ok(rc == rc2 == 0 and "next start" in out and ctl.in_force("box") == 5, "one that is stopped takes it", err, err2, out)
    rc, _, err = ctl("sandbox", "start", "box")
    t.ok(rc == 0 and ctl.list()["box"]["state"] == "running", "and starts with it", err, d.errors())
    for n in range(6, 42):
        rc, _, err = ctl("policy", "set", "box", "-p", ctl.policy(n, static.replace("h5.", f"h{n}.")))
        if rc:
            break
    r = [x["revision"] for x in ctl.revisions("box")]
    t.ok(rc == 0 and len(r) == 32 and r[-1] == 41, "the newest 32 are kept", err, r)


class Load(threading.Thread):
    """Changes one after the other, until oshd is gone; knows what was acknowledged."""

    def __init__(self, ctl, seed):
        super().__init__()
        self.ctl, self.rng, self.stop = ctl, random.Random(seed), False
        self.boxes = {}         # name -> [policy number, label]
        self.under_way = None
        self.acknowledged = 0

    def change(self):
        name, n = f"k{self.rng.randrange(4)}", self.rng.randrange(1000)
        if name not in self.boxes:
            return ("create", name, n), ("sandbox", "create", "-n", name, "-p", self.ctl.policy(n), "-w", self.ctl.w.work)
        verb = self.rng.choice(("policy", "policy", "label", "delete"))
        if verb == "policy":
            return (verb, name, n), ("policy", "set", name, "-p", self.ctl.policy(n))
        if verb == "label":
            return (verb, name, n), ("sandbox", "label", name, f"n={n}")
        return (verb, name, n), ("sandbox", "delete", "-f", name)

    @staticmethod
    def apply(boxes, change):
        verb, name, n = change
        boxes = {k: list(v) for k, v in boxes.items()}
        if verb == "create":
            boxes[name] = [n, None]
        elif verb == "delete":
            del boxes[name]
        else:
            boxes[name][verb == "label"] = n
        return boxes

    def run(self):
        while not self.stop:
            self.under_way, args = self.change()
            rc, _, self.said = self.ctl(*args)
            if rc:
                return
            self.boxes = self.apply(self.boxes, self.under_way)
            self.under_way, self.acknowledged = None, self.acknowledged + 1


def what_is(ctl):
    found = {}
    for name, b in ctl.list().items():
        policy = ctl("policy", "get", name)[1]
        n = policy.split("host: h")[1].split(".")[0] if "host: h" in policy else "?"
        label = b.get("labels", {}).get("n")
        found[name] = [int(n), int(label) if label else None]
    return found


def killed(t, w, d, ctl):
    rng, load, wrong = random.Random(7), None, []
    boxes = {}
    total = 0
    for n in range(ROUNDS):
        load = Load(ctl, n)
        load.boxes = boxes
        load.start()
        until(lambda: load.acknowledged or not load.is_alive(), 20)
        time.sleep(rng.uniform(0.05, 0.8))
        kill([d.p.pid])
        d.p.wait()
        load.stop = True
        load.join()
        total += load.acknowledged
        d.start()
        # One that a forced deletion had stopped already stays stopped.
        until(lambda: all(b["state"] == ("running" if b["wanted"] else "stopped") for b in ctl.list().values()), 10)
        there = what_is(ctl)
        possible = [load.boxes] + ([load.apply(load.boxes, load.under_way)] if load.under_way else [])
        if there not in possible:
            wrong.append((n, "acknowledged", load.boxes, "under way", load.under_way, "there", there, load.said))
            break
        boxes = there
    t.ok(not wrong, f"oshd killed {ROUNDS} times: what was acknowledged is there, nothing by half", *wrong, d.errors())
    t.ok(total >= ROUNDS, "and it had work", total)
    ctl.clean()
    t.ok(until(lambda: not any(os.listdir(os.path.join(d.state, "sandboxes"))), 10), "no home is left over",
         os.listdir(os.path.join(d.state, "sandboxes")))


def count(path):
    try:
        return len(os.listdir(path))
    except OSError:
        return 0


def homes(t, w, d, ctl):
    top = os.path.join(d.state, "sandboxes")
    rc, _, err = ctl("sandbox", "create", "-n", "box", "-p", ctl.policy(1), "-w", w.work)
    key = os.listdir(top)[0]
    home = os.path.join(top, key, "home")
    t.ok(rc == 0 and os.stat(home).st_uid == 1900000000 and os.stat(top).st_mode & 0o777 == 0o700,
         "the home of root's sandbox is of the fixed identity, below a directory of root's alone", err)
    for n in range(FILES):
        os.close(os.open(os.path.join(home, f"f{n}"), os.O_CREAT, 0o600))
    p = subprocess.Popen([OSHCTL, "sandbox", "delete", "-f", "box", "--socket", d.bus], stderr=subprocess.DEVNULL)
    began = until(lambda: count(home) < FILES, 20, 0.005)
    kill([d.p.pid])
    d.p.wait()
    p.wait()
    t.ok(began and count(home) > 0, "oshd is killed while a home is being removed")
    os.makedirs(os.path.join(top, "900", "home"))
    w.write("state/sandboxes/900/home/kept", "x")
    d.start()
    t.ok(until(lambda: not os.path.exists(os.path.join(top, key)), 20) and not ctl.list(), "the next one goes on with it",
         os.listdir(top), ctl.list())
    t.ok(os.path.exists(os.path.join(top, "900", "home", "kept")), "a directory that no row knows stays")
    ctl("sandbox", "create", "-n", "box", "-p", ctl.policy(1), "-w", w.work)
    t.ok(sorted(os.listdir(top)) == ["900", "901"], "and its key is not used again", os.listdir(top))
    ctl.clean()


def volumes(t, w, d, ctl):
    """Of their user, made by the first sandbox that names one, gone when they are told to go."""
    rc, out, _ = ctl("volume", "list")
    t.ok(rc == 0 and len(out.splitlines()) == 1, "no volumes: a title alone", out)
    for n in "ab":
        ctl("sandbox", "create", "-n", n, "-p", ctl.policy(1), "-w", w.work, "--volume", "cache:/cache")
    rc, out, err = ctl("volume", "list", "--json")
    t.ok(rc == 0 and json.loads(out) == [{"name": "cache", "uid": 0, "sandboxes": 2}], "two sandboxes share one", out, err)
    t.ok(json.loads(ctl("volume", "list", "--json", **USERS)[1]) == [], "another user sees none")
    rc, _, err = ctl("volume", "delete", "cache", **USERS)
    t.ok(rc == 1 and "no volume of yours" in err, "and deletes none", err)
    rc, _, err = ctl("volume", "delete", "cache")
    t.ok(rc == 1 and "used by 2 sandboxes" in err, "one in use is not deleted", err)
    os.close(os.open(os.path.join(d.state, "volumes", os.listdir(os.path.join(d.state, "volumes"))[0], "x"), os.O_CREAT))
    ctl.clean()
    rc, _, err = ctl("volume", "delete", "none", "cache")
    t.ok(rc == 1 and "'none'" in err and os.listdir(os.path.join(d.state, "volumes")) == [] and
         json.loads(ctl("volume", "list", "--json")[1]) == [], "then it is, with its files, and one that fails spares none", err)


def between(t, w, d, ctl):
    """Killed at the sync of the revision: it is written, and the kernel has not flipped."""
    ctl("sandbox", "create", "-n", "box", "-p", ctl.policy(1), "-w", w.work)
    s = subprocess.Popen(["strace", "-f", "-p", str(d.p.pid), "-e", "trace=fdatasync", "-e", "inject=fdatasync:signal=SIGKILL"],
                         stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    attached = "attached" in s.stderr.readline()
    rc, _, err = ctl("policy", "set", "box", "-p", ctl.policy(2))
    d.p.wait()
    s.communicate()
    with_it = subprocess.run([sys.executable, "-c", "import sqlite3, sys; print(sqlite3.connect(sys.argv[1])"
                              ".execute('SELECT count(*) FROM revision').fetchone()[0])", os.path.join(d.state, "osh.db")],
                             stdout=subprocess.PIPE, text=True)
    t.ok(attached and rc == 1 and with_it.stdout == "2\n", "oshd dies with the revision written and not in force", err, with_it)
    d.start()
    t.ok([r["revision"] for r in ctl.revisions("box")] == [1] and ctl.in_force("box") == 1 and
         ctl("policy", "get", "box")[1] == text(1), "the next one goes by what is enforced", ctl.revisions("box"), d.errors())
    rc, out, err = ctl("policy", "set", "box", "-p", ctl.policy(3))
    t.ok(rc == 0 and "generation 2" in out and "revision 2" in out, "and the next policy follows the old one", out, err)
    ctl.clean()


def bundle(ctl, *args):
    p = subprocess.run([OSHCTL, "policy", "get", *args, "--bundle", "--socket", ctl.d.bus], stdout=subprocess.PIPE)
    return p.stdout


def restored(t, w, d, ctl):
    """An older database under a sandbox that runs: what is enforced is kept."""
    copy, db = os.path.join(w.dir, "older.db"), os.path.join(d.state, "osh.db")
    ctl("sandbox", "create", "-n", "box", "-p", ctl.policy(1), "-w", w.work)
    ctl("backup", copy)
    ctl("policy", "set", "box", "-p", ctl.policy(2))
    ctl("sandbox", "create", "-n", "late", "-p", ctl.policy(1), "-w", w.work)
    enforced, kept = bundle(ctl, "box"), os.listdir(os.path.join(d.state, "sandboxes"))
    kill([d.p.pid])
    d.p.wait()
    os.remove(db + "-wal")
    os.rename(copy, db)
    d.start()
    t.ok(enforced and bundle(ctl, "box") == enforced and [r["revision"] for r in ctl.revisions("box")] == [1, 2],
         "a database of before the policy: it becomes a revision", ctl.revisions("box"), d.errors())
    rc, _, err = ctl("policy", "get", "box")
    t.ok(rc == 1 and "no text was kept" in err and ctl("policy", "get", "box", "--rev", "1")[1] == text(1),
         "without its text, which only the newer one had", err)
    late = ctl.list().get("late", {})
    t.ok(late.get("kind") == "run" and late.get("state") == "running", "one that it does not know runs on, as a run", late)
    ctl("sandbox", "delete", "-f", "box")
    ctl("sandbox", "create", "-n", "next", "-p", ctl.policy(1), "-w", w.work)
    now = os.listdir(os.path.join(d.state, "sandboxes"))
    late = max(kept, key=int)
    t.ok(late in now and max(now, key=int) > late, "its home stays, and nobody else gets it", kept, now)
    ctl("sandbox", "delete", "-f", "next")


def elsewhere(t, w, d, ctl):
    """Homes on a file system of their own."""
    top = os.path.join(d.state, "sandboxes")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", top], check=True)
    try:
        rc, _, err = ctl("sandbox", "create", "-n", "box", "-p", ctl.policy(1), "-w", w.work)
        home = os.path.join(top, os.listdir(top)[0], "home") if rc == 0 else ""
        t.ok(rc == 0 and os.stat(home).st_dev == os.stat(top).st_dev, "homes may be a file system of their own", err)
        os.close(os.open(os.path.join(home, "x"), os.O_CREAT))
        ctl.clean()
        t.ok(os.listdir(top) == [], "and are removed there", os.listdir(top))
    finally:
        subprocess.run(["umount", top], check=True)


def full_disk(t):
    with Work() as w:
        d = Daemon(w)
        os.mkdir(d.state, 0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0755", "tmpfs", d.state], check=True)
        try:
            with d:
                ctl = Ctl(w, d)
                rc, _, err = ctl("sandbox", "create", "-n", "box", "-p", ctl.policy(1), "-w", w.work)
                t.ok(rc == 0, "a small disk has room for one", err, d.errors())
                ballast = os.open(os.path.join(d.state, "ballast"), os.O_WRONLY | os.O_CREAT)
                try:
                    while os.write(ballast, b"x" * 4096):
                        pass
                except OSError:
                    os.close(ballast)
                big = text(2) + "".join(f"  - {{host: much{i}.example}}\n" for i in range(20000))
                rc, _, err = ctl("policy", "set", "box", "-p", ctl.policy(2, big))
                t.ok(rc == 1 and "is full" in err and "free some space" in err, "full: a policy is refused with that reason", err)
                t.ok(ctl.in_force("box") == 1 and ctl("policy", "get", "box")[1] == text(1), "the old one is in force")
                rc, _, err = ctl("sandbox", "create", "-n", "two", "-p", ctl.policy(3, big.replace("much", "more")), "-w", w.work)
                t.ok(rc == 1 and set(ctl.list()) == {"box"}, "and no second sandbox is there by half", err)
                kill([d.p.pid])
                d.p.wait()
                d.start()
                t.ok(ctl.in_force("box") == 1 and ctl.list()["box"]["state"] == "running",
                     "an oshd that starts on the full disk adopts it", d.errors())
                os.remove(os.path.join(d.state, "ballast"))
                rc, _, err = ctl("policy", "set", "box", "-p", ctl.policy(4))
                t.ok(rc == 0 and ctl.in_force("box") == 2, "with room it goes on", err)
                ctl.clean()
        finally:
            subprocess.run(["umount", d.state], check=True)


def main():
    t = Tap()
    with Work() as w:
        d = Daemon(w)
        with d:
            ctl = Ctl(w, d)
            revisions(t, w, d, ctl)
            refused(t, w, d, ctl)
            ctl.clean()
            killed(t, w, d, ctl)
            homes(t, w, d, ctl)
            volumes(t, w, d, ctl)
            between(t, w, d, ctl)
            elsewhere(t, w, d, ctl)
            restored(t, w, d, ctl)      # last: what it leaves ends with oshd
    full_disk(t)
    t.done()


main()
