#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What somebody was told to be over is over: of a run that has ended nothing is left when its oshctl returns, and a sandbox
whose command has ended does not run, however slow the others are; so the next command meets nothing of it."""
import contextlib
import json
import os
import re
import signal
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import ROOT, Tap, cgroup2, run  # noqa: E402
from osh import OSHCTL, Daemon, Work, kill, late, pids_of, proc, steal, until  # noqa: E402

PATIENCE = 3            # longer than an oshctl waits that has no oshd any more
ASKS = ["python3", "-c", """
import socket, sys
try:
    socket.create_connection(("192.0.2.1", 80))
except OSError:
    print("refused", flush=True)
sys.stdin.read()
"""]


class Machine:
    def __init__(self, d):
        self.d, self.w = d, d.work

    def rows(self):
        rc, out, err = run([OSHCTL, "sandbox", "list", "--json", "--socket", self.d.bus])
        return [(r["name"], r["state"]) for r in json.loads(out)] if rc == 0 else err

    def ctl(self, verb, *args):
        return run([OSHCTL, "sandbox", verb, "--socket", self.d.bus, *args], 180)

    def begin(self):
        """A run that was refused something, and ends with its stdin."""
        p = subprocess.Popen(self.d.command(*ASKS, options=("--name", "over")), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        p.stdout.readline()
        return p

    def why(self):
        return [json.loads(ln)["osh"].get("reason") for ln in self.w.lines()]


def end(p):
    out, err = p.communicate(timeout=180)
    return p.returncode, out, err


def t_words(t, m):
    p = m.begin()
    with late("osh-audit"):
        p.stdin.close()
        p.stdin = None
        t.ok(until(lambda: m.rows() == [("over", "stopping")]), "a run ends while osh-audit is slow", m.rows())
        time.sleep(PATIENCE)
    r = end(p)
    t.ok(r[:2] == (0, "") and m.why()[-1:] == ["ENDED"], "its oshctl returns when the last line is in its log", r, m.why())
    t.ok("192.0.2.1" in r[2] and "tidied" not in r[2], "and has said what was denied", r)
    t.ok(m.rows() == [], "nor is it in the list any more", m.rows())


def t_left(t, m):
    """Something is left of its cgroup: it has its number, and its place among its owner's, until that is gone."""
    p = m.begin()
    inner = os.path.join(cgroup2() + proc(pids_of("osh-init")[0], "cgroup").split("0::")[1].split()[0], "inner")
    os.mkdir(inner)
    try:
        p.stdin.close()
        p.stdin = None
        until(lambda: m.rows() != [("over", "running")])
        t.ok(until(lambda: p.poll() is not None, 0.5) is False and m.rows() == [("over", "stopping")],
             "a run of which something is left has not ended for its caller", p.poll(), m.rows())
    finally:
        os.rmdir(inner)
    r = end(p)
    t.ok(r[0] == 0 and m.rows() == [], "its oshctl returns when that is gone", r, m.rows())


def t_refused(t, m):
    """So is one that was refused: it has a number while osh-audit writes that it was."""
    with late("osh-audit"):
        p = subprocess.Popen([OSHCTL, "run", "--socket", m.d.bus, "-p", m.w.policy, "-w", m.w.work, "--gpu", "none", "--", "true"], stdin=subprocess.DEVNULL,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        t.ok(until(lambda: [s for _, s in m.rows()] == ["stopping"]) and until(lambda: p.poll() is not None, 0.5) is False,
             "a run that was refused is still there", m.rows(), p.poll())
    r = end(p)
    t.ok(r[0] == 125 and m.rows() == [] and r[2].count("\n") == 1, "its oshctl returns when it is not", r, m.rows())


def t_signal(t, m):
    """Who does not want to wait for that need not."""
    p = m.begin()
    with late("osh-audit"):
        p.stdin.close()
        p.stdin = None
        until(lambda: m.rows() == [("over", "stopping")])
        p.send_signal(signal.SIGINT)
        r = end(p)
        t.ok(r[0] == 0, "an interrupt ends the wait, with the command's status", r)
    t.ok(until(lambda: m.rows() == []), "and the rest goes its way", m.rows())


def t_looked(t, m):
    """Who looked at a terminal knows that its command has ended before osh-init has: that waits for another one who looks."""
    def ended(name):
        rc, _, err = m.ctl("create", "-p", m.w.policy, "-w", m.w.work, "-n", name, "--", "sh", "-c", "read x; seq 100000; exit 3")
        views = [subprocess.Popen([OSHCTL, "sandbox", "connect", "--socket", m.d.bus, name], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2 if rc == 0 else 0)]
        views[1].stdin.write(b"look\n")
        views[1].stdin.flush()
        views[1].stdout.read(4096)
        r = views[0].communicate(timeout=180)
        return views[1], views[0].returncode, r[1], err

    for what in ("delete", "start", "prune"):
        reader, rc, *said = ended("looked")
        r = m.ctl(what, *([] if what == "prune" else ["looked"]))
        t.ok(rc == 3 and r[0] == 0, f"a command has ended: {what} does not find it running", rc, r, *said)
        reader.communicate(timeout=180)
        t.ok(m.rows() == ([("looked", "running")] if what == "start" else []), "and is done", m.rows())
        m.ctl("delete", "-f", "looked")
    reader = ended("looked")[0]
    until(lambda: m.rows() != [("looked", "running")])
    kill([m.d.p.pid])
    m.d.p.wait()
    reader.communicate(timeout=180)
    m.d.start()
    t.ok(until(lambda: m.rows() == [("looked", "stopped")]), "an oshd that dies then: the next one ends it", m.rows())
    row = json.loads(m.ctl("get", "looked", "--json")[1])
    t.ok(row.get("exit-status") == 3 and "status 3" in row.get("reason", ""), "and knows how its command ended", row)
    m.ctl("delete", "looked")


def t_stays(t, m):
    """An osh-init that was taken over says that its command has ended, and lives on: nobody finds the run by its name any more."""
    with open(os.path.join(ROOT, "include/osh/msg.h")) as f:
        word = re.findall(r"^\t(OSH_MSG_\w+),", f.read(), re.M).index("OSH_MSG_INIT_MAIN")
    p = m.begin()
    with contextlib.closing(steal(pids_of("osh-init")[0], 3)) as manager:
        manager.send(struct.pack("=IIIi", word, 16, 0, 0))
    t.ok(until(lambda: p.poll() is not None, 30) and m.rows() == [], "it has to keep its word, or is killed", m.rows())
    p.kill()
    end(p)


def t_attach(t, m):
    """A sandbox that has ended has nobody who would have to be told of its credentials."""
    r = subprocess.run([OSHCTL, "provider", "create", "key", "--type", "openai", "--stdin", "--socket", m.d.bus], input="sk-0123456789",
                       capture_output=True, text=True, timeout=180)
    m.ctl("create", "-p", m.w.policy, "-w", m.w.work, "-n", "ended")
    with late("osh-audit"):
        kill(pids_of("osh-init"))
        t.ok(until(lambda: m.rows() == [("ended", "stopping")]), "a sandbox has ended while osh-audit is slow", r, m.rows())
        for what in ("attach", "detach"):
            r = run([OSHCTL, "provider", what, "--socket", m.d.bus, "ended", "key"], 180)
            t.ok(r[0] == 0, f"a provider for its next start: {what}", r)
    t.ok(m.ctl("delete", "ended")[0] == 0 and m.rows() == [], "and it goes its way")


def t_alone(t, m):
    p = m.begin()
    m.d.p.kill()
    m.d.p.wait()
    p.stdin.close()
    p.stdin = None
    r = end(p)
    t.ok(r[:2] == (0, ""), "without an oshd nobody waits for one", r)
    m.d.start()


def main():
    t = Tap()
    with Work() as w, Daemon(w) as d:
        m = Machine(d)
        for step in (t_words, t_left, t_refused, t_signal, t_looked, t_stays, t_attach, t_alone):
            step(t, m)
    return t.done()


if __name__ == "__main__":
    main()
