#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Upgrade in place (docs/upgrade.md): another build's kernel programs take the places of those that living
sandboxes have, back and forth, while a probe in every sandbox asks all the time. Killed at any step, the next
oshd of either build ends with one build's programs everywhere.

    tests/system/test_upgrade.py [UPGRADES [KILLS]]     4 and 8 by default
"""
import json
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import variant  # noqa: E402
from lib import Tap, cgroup2, run  # noqa: E402
from osh import OSHD, Daemon, Work, until  # noqa: E402
from test_death import Echo  # noqa: E402
from test_kill_loop import Probe, policy_text  # noqa: E402

UPGRADES = int(sys.argv[1]) if len(sys.argv) > 1 else 4
KILLS = int(sys.argv[2]) if len(sys.argv) > 2 else 8
PINS = "/sys/fs/bpf/osh"


def tool(*args, netns=None):
    enter = ["nsenter", f"--net=/proc/{netns}/ns/net"] if netns else []
    rc, out, err = run([*enter, "bpftool", "-j", *args], 30)
    if rc:
        raise RuntimeError(f"bpftool {args}: {err or out}")
    return json.loads(out)


def inside(d):
    """One process of each sandbox, as the host numbers it."""
    box = os.path.join(cgroup2(), "osh.slice", d.cgroup(), "box")
    return [open(os.path.join(box, x, "cgroup.procs")).readline().strip() for x in os.listdir(box)
            if os.path.isdir(os.path.join(box, x))]


def programs(d):
    """{where: tag} of every program that is in force for this oshd's sandboxes."""
    pins = next(os.path.join(PINS, abi, d.instance()) for abi in os.listdir(PINS)
                if os.path.isdir(os.path.join(PINS, abi, d.instance())))
    by_id = {p["id"]: p for p in tool("prog", "show")}
    found = {}
    for x in sorted(os.listdir(pins)):
        if x.startswith("prog_"):
            found["pin " + x] = [tool("prog", "show", "pinned", os.path.join(pins, x))["tag"]]
        if x.startswith("link_"):
            found["pin " + x] = [by_id[tool("link", "show", "pinned", os.path.join(pins, x))["prog_id"]]["tag"]]
        if x.startswith("new_"):
            found["half " + x] = ["?"]
    for part in ("box", "egress"):
        there = tool("cgroup", "show", os.path.join(cgroup2(), "osh.slice", d.cgroup(), part))
        for name in {p["name"] for p in there}:
            found[f"{part} {name}"] = sorted(p["tag"] if "tag" in p else by_id[p["id"]]["tag"]
                                             for p in there if p["name"] == name)
    links = tool("link", "show")
    for pid in inside(d):
        ns = os.stat(f"/proc/{pid}/ns/net").st_ino
        found[f"dns {pid}"] = [by_id[p["id"]]["tag"] for p in tool("net", "show", netns=pid)[0]["tc"]]
        found[f"steer {pid}"] = [by_id[x["prog_id"]]["tag"] for x in links
                                 if x.get("type") == "netns" and x.get("netns_ino") == ns]
    mark = os.readlink(os.path.join(pins, "build"))
    return mark, found


def launchers(d):
    """Programs of every osh-launch that keeps this oshd's sandboxes."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            args = open(f"/proc/{pid}/cmdline").read().split("\0")
            if args[0] == "osh-launch" and len(args) > 2 and args[2].startswith(d.state + "/"):
                found.append(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            pass
    return found


def one_each(found):
    return [f"{k}: {v}" for k, v in found.items() if len(v) != 1]


def wrong(probes):
    return [(p.name, p.last) for p in probes if p.ask()["n_wrong"] or p.p.poll() is not None]


class Builds:
    """The two, and what each looks like in the kernel once it was there."""

    def __init__(self, d, other):
        self.d, self.oshd, self.now = d, [OSHD, other], 0
        self.tags = [None, None]

    def start(self, which):
        self.d.oshd = [self.oshd[which]]
        self.d.start()
        self.now = which

    def check(self):
        """What differs from this build's programs."""
        mark, found = programs(self.d)
        plain = {k: v for k, v in found.items() if not k.startswith(("dns", "steer"))}
        kinds = {k.split()[0]: v for k, v in found.items() if k.startswith(("dns", "steer"))}
        mine = self.tags[self.now]
        if mine is None:
            self.tags[self.now] = mine = (mark, {**plain, **kinds})
        odd = one_each(found) + [f"{k}: {v}" for k, v in found.items() if mine[1].get(k, mine[1].get(k.split()[0])) != v]
        launch = os.path.join(os.path.dirname(os.path.realpath(self.oshd[self.now])), "osh-launch")
        if not until(lambda: launchers(self.d) == [launch], 5):
            odd.append(f"osh-launch: {launchers(self.d)}")
        odd += [x for x in os.listdir(self.d.state) if x.endswith((".new", ".old"))]
        return odd + ([] if mark == mine[0] else [f"marked {mark}"])


def back_and_forth(t, d, b, probes):
    bad = []
    for i in range(UPGRADES):
        d.p.kill()
        d.p.wait()
        b.start(1 - b.now)
        odd = b.check()
        if odd or wrong(probes):
            bad.append((i, odd, wrong(probes)))
            break
        if not all(p.moves() for p in probes):
            bad.append((i, "stuck or wrong", [p.last for p in probes]))
            break
    t.ok(not bad, f"{UPGRADES} times another build: every program is its own, every answer was right", bad,
         d.errors()[-3000:])
    a, o = (x[1] if x else {} for x in b.tags)
    same = sorted(k for k in a if a[k] == o.get(k))
    t.ok(len(a) > 30 and set(a) == set(o) and not same, "no program of one is in force under the other", same,
         sorted(set(a) ^ set(o)), len(a))
    t.ok("were replaced under" in d.errors() and "osh-launch has been replaced" in d.errors(), "and oshd says so")


def killed(t, d, b, probes):
    """At the entry of the n-th rename, bpf, setns or fork of an upgrade; then either build is started."""
    bad, died = [], 0
    for i in range(KILLS):
        call, most = (("rename", 26), ("bpf", 420), ("sendmsg", 6), ("clone3", 2), ("rename", 26), ("clone", 3))[i % 6]
        n = random.randint(1, most)
        d.p.kill()
        d.p.wait()
        p = subprocess.Popen(["strace", "-o", "/dev/null", "-e", f"inject={call}:signal=KILL:when={n}", b.oshd[1 - b.now],
                              "--state", d.state, *d.args], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        d.p = p
        up = until(lambda: p.poll() is not None or b_answers(d), 60, 0.05)
        gone = p.poll() is not None
        died += gone
        if not gone:        # there are fewer calls: it came up
            for pid in children(p.pid):
                os.kill(pid, 9)
            p.wait()
        now = wrong(probes)
        b.start(random.choice((0, 1)))
        odd = b.check()
        if not up or odd or now or wrong(probes):
            bad.append((call, n, odd, now, wrong(probes)))
            break
    t.ok(not bad, f"killed {died} times in an upgrade: the next oshd of either build has its own everywhere", bad,
         d.errors()[-3000:])
    t.ok(died >= KILLS // 3, "the kills hit", died)
    t.ok(all(p.moves() for p in probes), "and every probe is answered", [(p.name, p.last) for p in probes])


def b_answers(d):
    try:
        return d.answers()
    except RuntimeError:
        return True


def children(pid):
    return [int(x) for x in open(f"/proc/{pid}/task/{pid}/children").read().split()]


def main():
    t = Tap()
    with Work(policy_text()) as w:
        echo = Echo()
        os.chmod(w.work, 0o777)
        other = variant.make(os.path.join(w.dir, "other"))
        with Daemon(w, "--upstream-hosts", w.write("hosts", f"127.0.0.1:{echo.port} echo.test\n")) as d:
            b = Builds(d, other)
            probes = [Probe(d, f"probe-{i}") for i in range(2)]
            t.ok(all(p.moves() for p in probes), "every probe asks", [(p.name, p.last) for p in probes], d.errors())
            t.ok(not b.check(), "one build's programs to begin with", b.check())
            back_and_forth(t, d, b, probes)
            killed(t, d, b, probes)
            ends = [p.end() for p in probes]
            t.ok(all(rc == 0 and not last["n_wrong"] for rc, last, _ in ends), "every probe ends well", ends)
            rc, out, err = run(d.command("/usr/bin/bash", "-c", "exec 3<>/dev/tcp/echo.test/8443"))
            t.ok(rc == 0, "a new sandbox starts on the programs that are there", out, err)
        t.ok(not any(os.path.isdir(os.path.join(PINS, x, d.instance())) for x in (os.listdir(PINS) if os.path.isdir(PINS) else ())),
             "a stop leaves no pin")
    t.done()


if __name__ == "__main__":
    main()
