#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Several sandboxes at once, more processes than processors in each, all of them making noise as fast as the kernel lets them:
allowed connections and questions, and in between what is denied. Every distinct denial of every sandbox has a line, each repeat
is in its count, and each thing allowed is a line or is counted in the finding that says how many lines found no room.
Once with an osh-audit that keeps up as well as it can, and once with one that is stopped while all of it happens."""
import collections
import json
import os
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import BUILD, Tap  # noqa: E402
from osh import Daemon, Work, policy, proc, until  # noqa: E402

BOXES = 3
LOUD = min(200, max(2, os.cpu_count() or 1))        # processes of each sandbox
DISTINCT = min(60, 1500 // LOUD)    # of each process; a sandbox has a budget of 2048 (OSH_DENIALS_EACH)
EACH, REPEATS = 7, 3000             # of each of those, and by each process of the one that is all of its sandbox's
SLOTS = 1 << 15                     # OSH_LANE_SLOTS
ALLOWS = 5 * SLOTS // 4 // LOUD      # so that the lanes cannot hold what one sandbox does


class Box:
    def __init__(self, d, number, tool):
        self.number, self.log = number, os.path.join(d.work.dir, f"log-{number}.jsonl")
        numbers = [str(n) for n in (number, LOUD, ALLOWS, DISTINCT, EACH, REPEATS)]
        self.p = subprocess.Popen(
            [os.path.join(BUILD, "oshctl"), "run", "--socket", d.bus, "-p", d.work.policy, "--workdir", d.work.work,
             "--log", self.log, "--", tool, *numbers], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.p.stdout.readline()        # "ready", or nothing where it did not start
        self.said = ""

    def go(self):
        self.p.stdin.write("x")
        self.p.stdin.flush()

    def wait(self):
        self.said = self.p.stdout.readline().strip()

    def end(self):
        self.p.stdin.close()
        self.said += self.p.stderr.read()
        return self.p.wait(300)

    def read(self):
        """(connections and questions that were allowed, on record, count of each denial by destination, destinations with a line, findings)"""
        allowed, counts, first, findings = 0, {}, collections.Counter(), {}
        with open(self.log) as f:
            for line in f:
                o = json.loads(line)
                if o["class_uid"] == 2004:
                    findings[o["finding_info"]["title"]] = o["count"]
                    continue
                kind, verdict = o["osh"]["event"], o["osh"]["verdict"]
                if verdict == "allowed":
                    allowed += kind == "connect" or o.get("query", {}).get("hostname") == "question.example"
                elif kind == "connect":
                    where = o["dst_endpoint"].get("ip"), o["dst_endpoint"]["port"]
                    first[where] += not o["osh"].get("repeats")
                    counts[where] = max(counts.get(where, 0), o["count"])
        return allowed, counts, first, findings

    def asked(self):
        """{destination: how often}"""
        want = {(f"10.{self.number}.{p}.1", 1000 + n): EACH for p in range(LOUD) for n in range(DISTINCT)}
        want[f"10.{self.number}.255.1", 7] = REPEATS * LOUD
        return want


def auditor(d):
    """The osh-audit of this oshd."""
    kids = proc(d.p.pid, f"task/{d.p.pid}/children").split()
    return next(int(k) for k in kids if proc(k, "comm").strip() == "osh-audit")


def judge(t, box, how, must_lose):
    allowed, counts, first, findings = box.read()
    want = box.asked()
    lost = findings.get("allow records were lost: no room", 0)
    how = f"{how}, sandbox {box.number}"
    t.ok(set(first) == set(want) and set(first.values()) == {1}, f"{how}: each of {len(want)} distinct denials has its line, and one",
         sorted(set(want) ^ set(first))[:5], [w for w in first if first[w] != 1][:5])
    wrong = {k: (counts.get(k), n) for k, n in want.items() if counts.get(k) != n}
    t.ok(not wrong, f"{how}: repeats are counted exactly", dict(list(wrong.items())[:5]))
    t.ok(allowed + lost == 2 * ALLOWS * LOUD, f"{how}: each of {2 * ALLOWS * LOUD} things allowed is a line or counted as lost",
         allowed, lost)
    t.ok(set(findings) <= {"allow records were lost: no room"} and (lost > 0 or not must_lose),
         f"{how}: what was lost is a finding, and nothing else is", findings)


def noise(t, d, tool, stop):
    how = "osh-audit stopped" if stop else "osh-audit at work"
    boxes = [Box(d, n, tool) for n in range(1 + 100 * stop, 1 + 100 * stop + BOXES)]
    pid = auditor(d)
    if stop:
        os.kill(pid, signal.SIGSTOP)
    try:
        for b in boxes:
            b.go()
        for b in boxes:
            b.wait()
    finally:
        os.kill(pid, signal.SIGCONT)
    t.ok(all(b.said == "done" for b in boxes), f"{how}: {BOXES} sandboxes of {LOUD} processes each asked what they should",
         [b.said for b in boxes])
    t.ok(all([b.end() == 0 for b in boxes]), f"{how}: all end", [b.said for b in boxes])
    t.ok(auditor(d) == pid, f"{how}: it is the same osh-audit")
    for b in boxes:
        judge(t, b, how, stop)


def main():
    t = Tap()
    with Work(policy(*(f"{{host: {name}, port: 443}}" for name in ("noise.example", "question.example")))) as w:
        tool = os.path.join(w.work, "noise")
        with open(os.path.join(BUILD, "tests/tools/noise"), "rb") as f, open(tool, "wb") as to:
            to.write(f.read())
        os.chmod(tool, 0o755)
        # Upstream there is nobody: what counts is what was decided before.
        with Daemon(w, "--upstream-hosts", w.write("hosts", "127.0.0.1:9 noise.example\n")) as d:
            until(lambda: auditor(d), 20)
            for stop in (False, True):
                noise(t, d, tool, stop)
    t.done()


if __name__ == "__main__":
    main()
