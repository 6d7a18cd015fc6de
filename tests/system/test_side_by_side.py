#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Several oshds on one host: residents with directories of their own and embedded runs, started and stopped at
the same time; and what another ABI left. Nothing is lost, nothing is left, no two sandboxes share a user id.

    tests/system/test_side_by_side.py [ROUNDS]      3 by default
"""
import fcntl
import os
import re
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, cgroup2, run  # noqa: E402
from osh import OSHCTL, OSHD, Daemon, Work, exe, kill, pids_of, until  # noqa: E402

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 3
RUNS = 8
PINS = "/sys/fs/bpf/osh"
SLICE = os.path.join(cgroup2(), "osh.slice")
# Says who it is and stays for as long as the others come up.
WHO = "id -u; read -r _"


class Round:
    def __init__(self, t, works):
        self.t, self.works, self.bad, self.uids, self.lock = t, works, [], [], threading.Lock()
        self.up, self.go = threading.Semaphore(0), threading.Event()

    def one(self, what, command):
        p = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        first = p.stdout.readline().strip()
        with self.lock:
            self.uids.append(first)
        self.up.release()
        self.go.wait(60)
        try:
            _, err = p.communicate("\n", timeout=60)
        except subprocess.TimeoutExpired:
            p.kill()
            _, err = p.communicate()
        if p.returncode or not first.isdigit():
            with self.lock:
                self.bad.append((what, p.returncode, first, err))

    def embedded(self, i):
        w = self.works[0]
        self.one(f"embedded {i}", [OSHCTL, "run", "-p", w.policy, "--workdir", w.work, "--", "/bin/sh", "-c", WHO])

    def resident(self, w):
        try:
            with Daemon(w) as d:
                self.one(f"resident {w.dir}", d.command("/bin/sh", "-c", WHO))
        except RuntimeError as e:
            self.up.release()
            with self.lock:
                self.bad.append((w.dir, str(e)))

    def play(self):
        threads = [threading.Thread(target=self.embedded, args=(i,)) for i in range(RUNS)]
        threads += [threading.Thread(target=self.resident, args=(w,)) for w in self.works]
        for x in threads:
            x.start()
        for _ in threads:
            self.up.acquire(timeout=60)
        self.go.set()
        for x in threads:
            x.join(120)
        if len(set(self.uids)) != len(threads):
            self.bad.append(("user ids", sorted(self.uids)))
        return self.bad


def left(works, names):
    """Of ours: others may run osh on this machine."""
    found = []
    for top in (SLICE, *(os.path.join(PINS, x) for x in (os.listdir(PINS) if os.path.isdir(PINS) else ()))):
        found += [os.path.join(top, x) for x in (os.listdir(top) if os.path.isdir(top) else ()) if x.startswith(names)]
    return found


def races(t, works):
    bad, names = [], tuple(Daemon(w).instance() for w in works)
    for i in range(ROUNDS):
        bad = Round(t, works).play()
        if bad:
            break
        oshds = until(lambda: not pids_of("oshd") and not pids_of("osh-launch"), 10)
        if not oshds or left(works, names):
            bad = [("left", left(works, names), pids_of("oshd"), pids_of("osh-launch"))]
            break
    t.ok(not bad, f"{RUNS} embedded runs and {len(works)} residents at once, {ROUNDS} times: all ran, each as another user, "
         "nothing is left", i, *bad)


def churn(t, works):
    """Nobody waits for anybody: the last to go takes the shared directories away while the next one comes."""
    bad = []

    def embedded(w):
        for _ in range(ROUNDS * 2):
            rc, out, err = run([OSHCTL, "run", "-p", w.policy, "--workdir", w.work, "--", "true"])
            if rc:
                bad.append(("embedded", rc, out, err))

    def resident(w):
        for _ in range(ROUNDS * 2):
            try:
                with Daemon(w) as d:
                    rc, out, err = run(d.command("true"))
                    if rc:
                        bad.append((w.dir, rc, out, err, d.errors()))
            except RuntimeError as e:
                bad.append((w.dir, str(e)))

    threads = [threading.Thread(target=embedded, args=(works[0],)) for _ in range(2)]
    threads += [threading.Thread(target=resident, args=(w,)) for w in works]
    for x in threads:
        x.start()
    for x in threads:
        x.join(240)
    t.ok(not bad, f"oshds that come and go as they like, {ROUNDS * 2} times each: every one runs", *bad[:4])


def ordered(t, w):
    """While another oshd makes or removes what all share, a start waits."""
    with open("/run/osh/host.lock", "r+b") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        p = subprocess.Popen([OSHCTL, "run", "-p", w.policy, "--workdir", w.work, "--", "true"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(1.5)
        early = p.poll()
        made = [x for x in pids_of("oshd") if os.path.isdir(os.path.join(SLICE, f"run-{x}-{start_of(x)}"))]
    _, err = p.communicate(timeout=60)
    t.ok(early is None and not made and p.returncode == 0, "a start makes nothing while another holds the lock, then works",
         early, made, p.returncode, err)


def ended(t, w):
    """While others have the lock an end waits as well, longer than for anything else, and its oshctl with it. In a /run of its own:
    nobody else has to wait."""
    p = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c", 'mount -t tmpfs none /run && exec "$@"', "sh",
                          OSHCTL, "run", "-p", w.policy, "--workdir", w.work, "--", "/bin/sh", "-c", WHO],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    p.stdout.readline()
    oshd = [x for x in pids_of("oshd") if exe(x)[1] == p.pid]
    name = f"run-{oshd[0]}-{start_of(oshd[0])}"
    with open(f"/proc/{p.pid}/root/run/osh/host.lock", "r+b") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        p.stdin.write("\n")
        p.stdin.flush()
        time.sleep(11)
        there = left([w], (name,))
        waits = p.poll()
    _, err = p.communicate(timeout=120)
    t.ok(there and waits is None and p.returncode == 0 and not left([w], (name,)), "an end that waits for the lock is waited for, and leaves "
         "nothing", there, waits, p.returncode, err, left([w], (name,)))


def unadoptable(t, w):
    """A start that fails over a living sandbox leaves it as it is, ends at once, and holds up nobody."""
    with Daemon(w) as d:
        p = subprocess.Popen(d.command("/bin/sh", "-c", WHO), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        p.stdout.readline()
        d.p.kill()
        d.p.wait()
        pins = next(x for x in left([w], (d.instance(),)) if x.startswith(PINS))
        os.unlink(os.path.join(pins, "map_names"))
        before = sorted(os.listdir(pins))
        rc, out, err = run([OSHD, "--state", d.state], 15)
        t.ok(rc == 1 and "stay enforced" in err and "map_names" in err, "pins that are not whole: the start fails, and says so",
             rc, out, err)
        t.ok(p.poll() is None and sorted(os.listdir(pins)) == before, "what lives stays, with its pins")
        p.communicate("\n")
        d.start()
        rc, out, err = run(d.command("true"))
        t.ok(rc == 0, "when nobody lives in them they are made anew", out, err, d.errors())


def start_of(pid):
    return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[19]


class Slots:
    """As another oshd would: the slots of those user ids are its own, or somebody else's already."""

    def __init__(self, uids):
        self.f, self.got = open("/run/osh/slots", "r+b"), 0
        for uid in uids:
            lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, uid - 1900000000, 1, 0)
            try:
                fcntl.fcntl(self.f, fcntl.F_OFD_SETLK, lock)
                self.got += 1
            except BlockingIOError:
                pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.f.close()


def free(uid):
    with Slots([uid]) as s:
        return s.got == 1


def slots(t, w):
    with Daemon(w) as d:
        uid = int(run(d.command("id", "-u"))[1])
        with Slots(range(uid, uid + 20)):
            later = int(run(d.command("id", "-u"))[1])
            t.ok(later >= uid + 20, "slots that another oshd has are left to it", uid, later)
        p = subprocess.Popen(d.command("/bin/sh", "-c", WHO), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        mine = int(p.stdout.readline())
        d.p.kill()
        d.p.wait()
        t.ok(not free(mine), "a sandbox keeps its slot while no oshd lives")
        d.start()
        p.communicate("\n")
        t.ok(p.returncode == 0, "and ends well under the next one")
        t.ok(until(lambda: free(mine), 5), "and gives it back")


class Stranger:
    """What an oshd of another ABI leaves when it is killed: a cgroup with a process, pins, an osh-launch."""

    def __init__(self, d):
        self.d, self.pins = d, os.path.join(PINS, "999", d.instance())
        self.cgroup = os.path.join(SLICE, d.instance() + ".abi999")
        self.box = os.path.join(self.cgroup, "box", "1")
        os.makedirs(self.box)
        os.makedirs(self.pins)
        rc, out, err = run(["bpftool", "map", "create", os.path.join(self.pins, "map_x"), "type", "array", "key", "4",
                            "value", "4", "entries", "1", "name", "x"])
        assert rc == 0, (out, err)
        self.p = subprocess.Popen(["sleep", "1000"])
        with open(os.path.join(self.box, "cgroup.procs"), "w") as f:
            f.write(str(self.p.pid))
        code = ("import socket,sys,time; s=socket.socket(socket.AF_UNIX,socket.SOCK_SEQPACKET); s.bind(sys.argv[1]); "
                "s.listen(4); print('up',flush=True); time.sleep(1000)")
        self.launch = subprocess.Popen([sys.executable, "-c", code, os.path.join(d.state, "launch-999")],
                                       stdout=subprocess.PIPE)
        self.launch.stdout.readline()

    def intact(self):
        return self.p.poll() is None and self.launch.poll() is None and os.path.exists(os.path.join(self.pins, "map_x"))

    def end(self):
        self.p.kill()
        self.p.wait()


def other_abi(t, w):
    d = Daemon(w)
    with d:                     # so that there is a bpffs, and a state directory
        s = Stranger(d)
        d.p.kill()
        d.p.wait()
        d.start()
        said = re.search(r"1 sandboxes of ABI 999 .*pid (\d+).*stay enforced.*cgroup.kill", d.errors())
        t.ok(said and int(said.group(1)) == s.launch.pid, "another ABI's sandboxes are reported: who, how many, what to do",
             d.errors())
        rc, out, err = run(d.command("true"))
        t.ok(rc == 0 and s.intact(), "and left alone, while ours start and end", out, err)
    t.ok(s.intact(), "also when oshd is stopped")
    s.end()
    with d:
        t.ok("removed what ABI 999 had left" in d.errors() and not os.path.exists(s.pins) and not os.path.exists(s.cgroup),
             "where nobody lives in it any more it is removed", d.errors())
        t.ok(until(lambda: s.launch.poll() is not None, 5), "and its osh-launch ended")
    kill([s.launch.pid])
    s.launch.wait()


def main():
    t = Tap()
    with Work() as a, Work() as b, Work() as c:
        races(t, [a, b, c])
        churn(t, [a, b, c])
        ordered(t, a)
        ended(t, a)
        unadoptable(t, c)
        slots(t, a)
        other_abi(t, b)
    t.done()


if __name__ == "__main__":
    main()
