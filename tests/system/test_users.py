#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Users that share a machine: none sees, signals, enters, steers or reads anything of another's sandboxes; members of
osh-admin do; what runs inside a sandbox reaches no oshd at all."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, OSHD, Daemon, Work, pids_of, until  # noqa: E402
from sdbus import Peer  # noqa: E402

ANN, BOB, EVE = 1801, 1802, 1803
ADMINS = 1899
NOT_YOURS = "no sandbox of yours is called"
LIMIT = 64              # OSH_SLOTS_EACH


class Shared(Daemon):
    """With an /etc/group of its own, in a mount namespace of its own."""

    def start(self):
        group = self.work.write("group", open("/etc/group").read() + f"osh-admin:x:{ADMINS}:\n")
        at = os.path.join(self.work.dir, "oshd")
        with open(at, "w") as f:
            f.write(f"#!/bin/sh\nmount --bind {group} /etc/group && exec {OSHD} \"$@\"\n")
        os.chmod(at, 0o755)
        err = open(os.path.join(self.work.dir, "oshd.err"), "a")
        self.p = subprocess.Popen(["unshare", "--mount", "--propagation", "private", at, "--state", self.state, *self.args],
                                  stdin=subprocess.DEVNULL, stdout=err, stderr=err)
        err.close()
        if not until(self.answers, 20):
            raise RuntimeError("oshd does not answer: " + self.errors())
        return self


class User:
    def __init__(self, d, uid, groups=()):
        self.d, self.uid, self.who = d, uid, {"user": uid, "group": uid, "extra_groups": list(groups)} if uid else {}

    def __call__(self, *args, **kw):
        """oshctl ARGS as this user; --socket goes behind the verb."""
        words = 2 if args[0] in ("sandbox", "policy") else 1
        return run([OSHCTL, *args[:words], "--socket", self.d.bus, *args[words:]], 60, cwd="/", **self.who, **kw)

    def create(self, name, *more):
        w = self.d.work
        work = os.path.join(w.dir, f"work-{self.uid}")
        if not os.path.isdir(work):
            os.mkdir(work)
            os.chown(work, self.uid, self.uid)
        return self("sandbox", "create", "-p", w.policy, "-w", work, "-n", name, *more)

    def names(self):
        rc, out, _ = self("sandbox", "list", "--json")
        return sorted(r["name"] for r in json.loads(out)) if rc == 0 else None

    def state(self, name):
        rc, out, _ = self("sandbox", "get", name, "--json")
        return json.loads(out)["state"] if rc == 0 else None


def strangers(t, d, ann, bob):
    rc, _, err = ann.create("anns", "-l", "a=b", "--", "sh", "-c", "echo secret > /tmp/x; while :; do sleep 1; done")
    t.ok(rc == 0 and ann.names() == ["anns"], "a user creates a sandbox", err, d.errors())
    t.ok(bob.names() == [], "another sees none", bob.names())
    w = d.work
    attempts = [("sandbox", "get", "NAME"), ("sandbox", "stop", "NAME"), ("sandbox", "start", "NAME"),
                ("sandbox", "restart", "NAME"), ("sandbox", "delete", "NAME"), ("sandbox", "delete", "NAME", "-f"),
                ("sandbox", "label", "NAME", "x=y"), ("policy", "set", "NAME", "-p", w.policy), ("policy", "list", "NAME"),
                ("policy", "get", "NAME"), ("policy", "rollback", "NAME", "--rev", "1")]
    verbs = run([OSHCTL, "--help"])[1]
    attempts += [a for a in (("sandbox", "exec", "NAME", "--", "true"), ("sandbox", "connect", "NAME")) if " ".join(a[:2]) in verbs]
    for a in attempts:
        rc, out, err = bob(*[x.replace("NAME", "anns") for x in a])
        rc2, out2, err2 = bob(*[x.replace("NAME", "nobodys") for x in a])
        t.ok(rc and rc2 and out == out2 == "" and err.replace("anns", "nobodys") == err2 and NOT_YOURS in err,
             f"{' '.join(a[:2])}: as if there were none", rc, err, err2)
    rc, _, err = bob.create("anns")
    t.ok(rc == 1 and "the name 'anns' is taken" in err and str(ann.uid) not in err, "a name that clashes: taken, and no more", err)
    rc, out, _ = bob("sandbox", "prune")
    t.ok(rc == 0 and out == "" and ann.state("anns") == "running", "prune takes none of another's")
    inside = [p for p in pids_of("osh-init")]
    rc, _, err = run(["kill", "-9", *map(str, inside)], user=bob.uid)
    t.ok(rc and inside and "ermitted" in err and ann.state("anns") == "running", "nor is it signalled", err)
    rc, _, _ = run(["cat", f"/proc/{inside[0]}/environ"], user=bob.uid)
    t.ok(rc, "nor looked into through /proc")
    t.ok(run(["ls", os.path.join(d.state, "sandboxes")], user=bob.uid)[0] and run(["cat", os.path.join(d.state, "osh.db")], user=bob.uid)[0],
         "nor on disk")
    rc, out, err = bob("logs", "--sandbox", "anns", "--json")
    t.ok("anns" not in out, "its log is not another's to read", rc, out, err)
    rc, out, err = ann("logs", "--json")
    t.ok(rc == 0 and "anns" in out, "its owner reads it", rc, err)
    t.ok(ann("sandbox", "label", "anns", "c=d")[0] == 0 and ann("policy", "get", "anns")[0] == 0, "and steers it")


def admins(t, d, ann, admin, root):
    for who, what in ((admin, "a member of osh-admin"), (root, "root")):
        t.ok(who.names() == ["anns"], f"{what} sees it", who.names())
        for verb in (("sandbox", "get", "anns"), ("sandbox", "stop", "anns"), ("sandbox", "start", "anns"),
                     ("sandbox", "label", "anns", "seen=1"), ("policy", "list", "anns"), ("policy", "get", "anns"),
                     ("policy", "set", "anns", "-p", d.work.policy)):
            rc, _, err = who(*verb)
            t.ok(rc == 0, f"{what}: {' '.join(verb[:2])}", err, d.errors())
        uids = {os.stat(f"/proc/{p}").st_uid for p in pids_of("osh-init")} | \
               {int(open(f"/proc/{p}/status").read().split("Uid:")[1].split()[0]) for p in pids_of("osh-init")}
        t.ok(ann.uid in uids and who.uid not in uids - {0}, "who starts it again does not become its owner", uids)
        rc, out, _ = who("sandbox", "prune")
        t.ok(rc == 0 and out == "", "prune takes the caller's own alone")
    t.ok(ann.state("anns") == "running", "its owner still has it")
    hosts = d.work.write("hosts", "127.0.0.1:1 a.example\n")
    os.chmod(hosts, 0o644)
    rc, _, err = ann.create("trusting", "--upstream-hosts", hosts)
    t.ok(rc == 1 and "osh-admin" in err, "who may say what an address is: not everybody", err)
    rc, _, err = admin.create("trusting", "--upstream-hosts", hosts)
    t.ok(rc == 0 and admin("sandbox", "delete", "-f", "trusting")[0] == 0, "osh-admin", err)


def outsiders(t, w, d, ann):
    """Inside a sandbox, whatever its view lists, there is no way to oshd; nor from another pid namespace."""
    connect = ("import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.settimeout(5)\n"
               "try:\n s.connect(sys.argv[1])\n s.sendall(b'\\0AUTH EXTERNAL\\r\\n')\n print('answer', s.recv(64))\n"
               "except OSError as e: print(type(e).__name__)\n")
    rc, out, _ = run(["python3", "-c", connect, d.bus], user=ann.uid)
    t.ok(rc == 0 and "answer b" in out and "answer b''" not in out, "outside the socket answers", out)
    listed = w.write("listed.yaml", BASE_POLICY.replace("read_only: [", f"read_write: [{d.state}]\n  read_only: ["))
    for name, uid in (("root", 0), ("a user", ann.uid)):
        rc, out, err = run([OSHCTL, "run", "--socket", d.bus, "-p", listed, "-w", os.path.join(w.dir, f"work-{ann.uid}"), "--",
                            "python3", "-c", connect, d.bus], 30, **({"user": uid, "group": uid, "extra_groups": []} if uid else {}))
        t.ok("answer b" not in out, f"inside, by {name}, with the socket's directory in its view: no answer", rc, out, err[-300:])
    rc, out, err = run(["unshare", "--pid", "--fork", "python3", "-c", connect, d.bus])
    t.ok("answer b" not in out or "answer b''" in out, "root of another pid namespace is refused", out, err)
    # a process that was put into a sandbox's cgroup, by root's own hand
    box = next(line.split("::")[1].strip() for p in pids_of("osh-init") for line in open(f"/proc/{p}/cgroup") if line.startswith("0::"))
    top = next(m.split()[4] for m in open("/proc/self/mountinfo") if " - cgroup2 " in m)
    rc, out, err = run(["sh", "-c", 'echo $$ > "$1/cgroup.procs" && exec python3 -c "$2" "$3"', "sh", top + box, connect, d.bus])
    t.ok("answer b" not in out or "answer b''" in out, "so is one in a sandbox's cgroup", rc, out, err)


def bounds(t, d, bob, root):
    script = f'for i in $(seq {LIMIT}); do "$0" sandbox create --socket "$1" -p "$2" -w "$3" -n "b-$i" & [ $((i % 16)) = 0 ] && wait; done; wait'
    work = os.path.join(d.work.dir, f"work-{bob.uid}")
    bob.create("first")
    bob("sandbox", "delete", "-f", "first")
    rc, out, err = run(["sh", "-c", script, OSHCTL, d.bus, d.work.policy, work], 120, cwd="/", **bob.who)
    t.ok(len(out.split()) == LIMIT, f"a user has {LIMIT} at once", rc, len(out.split()), err)
    rc, _, err = bob.create("more")
    t.ok(rc == 1 and f"no more than {LIMIT}" in err, "and no more", err)
    rc, _, err = root.create("roots")
    t.ok(rc == 0 and root("sandbox", "delete", "-f", "roots")[0] == 0, "which takes nothing from others", err)
    bob("sandbox", "delete", "-f", *bob.names())
    t.ok(bob.names() == [], "they are deleted")


def without_group(t):
    """Where nobody made the group, nobody is in it."""
    if "osh-admin:" in open("/etc/group").read():
        return t.skip("without the group nobody is an admin", "this machine has a group osh-admin")
    with Work() as w, Daemon(w) as d:
        ann, eve = User(d, ANN), User(d, EVE, [0, ADMINS])
        ann.create("anns")
        t.ok(eve.names() == [] and eve("sandbox", "stop", "anns")[0] == 1, "without the group nobody is an admin, group 0 included")
        with Peer(d.bus) as p:
            t.ok(p.call("org.osh.Manager1", "Get", "s", "anns") [0] is None, "root is")
        ann("sandbox", "delete", "-f", "anns")
    return True


def main():
    t = Tap()
    with Work() as w, Shared(w) as d:
        ann, bob, admin, root = User(d, ANN), User(d, BOB), User(d, EVE, [ADMINS]), User(d, 0)
        strangers(t, d, ann, bob)
        admins(t, d, ann, admin, root)
        outsiders(t, w, d, ann)
        bounds(t, d, bob, root)
        t.ok(admin("sandbox", "delete", "-f", "anns")[0] == 0 and ann.names() == [], "osh-admin deletes it")
    without_group(t)
    t.done()


if __name__ == "__main__":
    main()
