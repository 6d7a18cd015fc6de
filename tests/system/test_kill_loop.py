#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""kill -9 of oshd, osh-launch and osh-audit in a loop under load. A probe in every sandbox asks all the time
what is allowed and what is not; the next oshd adopts all; nothing is lost and nothing piles up.

    tests/system/test_kill_loop.py [KILLS]      kills of oshd, 12 by default
"""
import json
import os
import random
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, cgroup2, run  # noqa: E402
from osh import OSHCTL, Daemon, Work, exe, held, kill, pids_of, policy, proc, until  # noqa: E402
from test_death import Echo  # noqa: E402

KILLS = int(sys.argv[1]) if __name__ == "__main__" and len(sys.argv) > 1 else 12
AGENTS = 4
# Asks without a pause and says "wrong" the moment an answer is not the one that the policy gives. `slow` is no
# verdict: a connection may wait in the backlog while nobody starts an egress.
PROBE = """
import errno, json, os, socket, subprocess, sys, threading, time
seen = {'allowed': 0, 'denied': 0, 'name': 0, 'udp': 0, 'exec': 0, 'other': 0, 'slow': 0}
wrong = []
def allowed(i):
    try:
        with socket.create_connection(('echo.test', 443), timeout=20) as s:
            s.sendall(b'ping\\n')
            if s.recv(100) != b'pong ping\\n':
                raise ConnectionResetError()
        seen['allowed'] += 1
    except (TimeoutError, ConnectionResetError, BrokenPipeError):
        seen['slow'] += 1       # its egress was ended with it
def denied(i):
    try:
        socket.create_connection(('echo.test', 80), timeout=20)
        wrong.append('port 80 is open')
    except PermissionError:
        seen['denied'] += 1
def name(i):
    try:
        socket.getaddrinfo('x%d.other.test' % i, 443)
        wrong.append('other.test has an address')
    except socket.gaierror as e:
        if e.errno != socket.EAI_NONAME:
            wrong.append('other.test: %s' % e)
        seen['name'] += 1
def udp(i):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.sendto(b'x', ('192.0.2.1', 5353))
            wrong.append('a datagram was sent')
        except PermissionError:
            seen['udp'] += 1
def child(port, want, key):
    r = subprocess.run(['/usr/bin/bash', '-c', 'exec 3<>/dev/tcp/echo.test/%d' % port],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if (r.returncode == 0) != want:
        wrong.append('bash to %d: %d %r' % (port, r.returncode, r.stdout))
    seen[key] += 1
def execs(i):
    child(8443, True, 'exec')      # bash may, python3 may not
    try:
        socket.create_connection(('echo.test', 8443), timeout=20)
        wrong.append('python3 has the identity of bash')
    except PermissionError:
        seen['other'] += 1
stop = threading.Event()
def loop(what):
    i = 0
    while not stop.is_set():
        i += 1
        try:
            what(i)
        except Exception as e:
            wrong.append('%s: %r' % (what.__name__, e))
        time.sleep(0.01)
threads = [threading.Thread(target=loop, args=(f,)) for f in (allowed, denied, name, udp, execs)]
for t in threads:
    t.start()
for line in sys.stdin:
    if line.strip() == 'end':
        break
    print(json.dumps({'seen': seen, 'wrong': wrong[:5], 'n_wrong': len(wrong)}), flush=True)
stop.set()
for t in threads:
    t.join()
print(json.dumps({'seen': seen, 'wrong': wrong[:5], 'n_wrong': len(wrong)}), flush=True)
"""


class Probe:
    def __init__(self, d, name, options=()):
        w = d.work
        self.name, self.last = name, {}
        self.p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-p", w.policy, "--workdir", w.work, "--name",
                                   name, *options, "--", "python3", "-u", "-c", PROBE], stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def ask(self, word="?"):
        try:
            self.p.stdin.write(word + "\n")
            self.p.stdin.flush()
            self.last = json.loads(self.p.stdout.readline())
        except (OSError, ValueError) as e:
            self.last = {"seen": {}, "wrong": [f"the sandbox is gone: {e}"], "n_wrong": 1}
        return self.last

    def moves(self):
        """Every kind of question is asked and answered again from now on."""
        before = self.ask()["seen"]
        return until(lambda: all(n > before.get(k, 0) for k, n in self.ask()["seen"].items() if k != "slow") and
                     self.last["seen"] or self.p.poll() is not None, 15, 0.1) and not self.last["n_wrong"]

    def end(self):
        last = self.ask("end")
        try:
            _, err = self.p.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.p.kill()
            _, err = self.p.communicate()
        return self.p.returncode, last, err


class Load(threading.Thread):
    """New runs and reloads all the while. What is refused has a reason; what starts, works."""

    def __init__(self, d, policies):
        super().__init__(daemon=True)
        self.d, self.policies, self.halt = d, policies, threading.Event()
        self.good = self.refused = self.reloads = 0
        self.bad = []

    def run(self):
        n = 0
        while not self.halt.is_set():
            n += 1
            w = self.d.work
            rc, out, err = run([OSHCTL, "run", "--socket", self.d.bus, "-p", w.policy, "--workdir", w.work, "--",
                                "/usr/bin/bash", "-c", "exec 3<>/dev/tcp/echo.test/8443 && echo fine"], 60)
            if rc == 0 and out == "fine\n":
                self.good += 1
            elif err.strip() and "Traceback" not in err and rc:
                self.refused += 1       # oshd was killed while it was being started
            else:
                self.bad.append((rc, out, err))
            rc, out, err = run([OSHCTL, "policy", "set", "probe-0", "-p", self.policies[n % 2], "--wait", "--socket",
                                self.d.bus], 60)
            self.reloads += rc == 0


def policy_text(more=""):
    return policy("{host: echo.test, ports: [443]}",
                  "{host: echo.test, ports: [8443], binaries: [/usr/bin/bash]}") + more


def facts(d):
    """What may not grow: descriptors and memory of the processes that stay, directories, pins, namespaces."""
    launch = pids_of("osh-launch")
    box = os.path.join(cgroup2(), "osh.slice", d.cgroup(), "box")
    pid = launch[0] if launch else 0
    return {"launches": len(launch), "fds of oshd": len(held(d.p.pid)),
            "fds of osh-launch": len(held(pid)),
            "rss of osh-launch": int((proc(pid, "statm").split() + ["0", "0"])[1]) * 4,
            "boxes": sum(os.path.isdir(os.path.join(box, x)) for x in os.listdir(box)),
            "audits": len(pids_of("osh-audit")), "inits": len(pids_of("osh-init"))}


def settle(d, want):
    return until(lambda: (lambda f: f if f["boxes"] == want and f["inits"] == want and f["audits"] == 1 and
                          f["launches"] == 1 else None)(facts(d)), 20, 0.2) or facts(d)


def oshd_loop(t, w, d, probes, load):
    """oshd dies at any moment of a start, of a run's start, of a reload, of an egress' start."""
    wrong, slow = [], []
    for i in range(KILLS):
        time.sleep(random.uniform(0, 0.3) if i % 3 else random.uniform(0.3, 2.5))
        d.p.kill()
        d.p.wait()
        if i % 4 == 0:
            time.sleep(0.2)     # nobody but the kernel for a moment
        d.start()
        if i % 5 == 4:
            kill(pids_of("osh-egress")[:2])
        bad = [(p.name, p.last) for p in probes if p.ask()["n_wrong"] or p.p.poll() is not None]
        wrong += bad
        if bad:
            break
        slow.append(sum(p.last["seen"]["slow"] for p in probes))
    t.ok(not wrong, f"kill -9 of oshd {KILLS} times under load: every answer was right", wrong[:2], d.errors()[-3000:])
    print(f"# {load.good} runs, {load.refused} refused, {load.reloads} reloads, slow connections {slow[-1:]}")


def roles_loop(t, w, d, probes):
    for role, rounds in (("osh-launch", max(3, KILLS // 4)), ("osh-audit", 26)):
        for _ in range(rounds):
            until(lambda: pids_of(role), 10)
            kill(pids_of(role))
            time.sleep(random.uniform(0, 0.15))
        until(lambda: pids_of(role), 10)
        t.ok(d.p.poll() is None, f"kill -9 of {role} {rounds} times: oshd lives", d.errors()[-3000:])
        t.ok(all(p.moves() for p in probes), f"kill -9 of {role} {rounds} times: every answer was right",
             [(p.name, p.last) for p in probes])
    t.ok("stays enforced" in d.errors() and "no new one starts" in d.errors(),
         "an osh-audit that keeps ending is reported, with what holds")
    rc = until(lambda: run(d.command("true"))[0] == 0, 10, 0.5)
    t.ok(rc, "and new sandboxes start when it stays", d.errors()[-2000:])


def both(t, w, d, probes):
    """osh-launch dies, then oshd: what the second osh-launch keeps is whole."""
    kill(pids_of("osh-launch"))
    until(lambda: pids_of("osh-launch"), 10)
    t.ok(all(p.moves() for p in probes), "before both die", [(p.name, p.last) for p in probes])
    d.p.kill()
    d.p.wait()
    d.start()
    t.ok(all(p.moves() for p in probes), "osh-launch killed, then oshd: all are adopted",
         [(p.name, p.last) for p in probes], d.errors()[-3000:])


def reused_ids(t, w, d):
    """No sandbox lives when oshd dies: the ids of those that had lived are not given out again."""
    rc, out, err = run(d.command("/usr/bin/bash", "-c", "exec 3<>/dev/tcp/echo.test/8443"))
    t.ok(rc == 0, "a run", out, err)
    holders = []
    for i in range(2):
        # Numbers of namespaces are used again; this one takes the former sandbox's.
        holders.append(subprocess.Popen(["unshare", "-m", "sleep", "100"]))
        d.p.kill()
        d.p.wait()
        d.start()
        rc, out, err = run(d.command("/usr/bin/bash", "-c", "exec 3<>/dev/tcp/echo.test/8443"))
        t.ok(rc == 0, "kill -9 of an idle oshd: programs of the next sandbox are known", out, err, d.errors()[-2000:])
    for h in holders:
        h.kill()
        h.wait()


def main():
    t = Tap()
    with Work(policy_text()) as w:
        echo = Echo()
        os.chmod(w.work, 0o777)
        policies = [w.write("a.yaml", policy_text()), w.write("b.yaml", policy_text("  - {host: more.test, ports: [1]}\n"))]
        with Daemon(w, "--upstream-hosts", w.write("hosts", f"127.0.0.1:{echo.port} echo.test\n")) as d:
            reused_ids(t, w, d)
            probes = [Probe(d, f"probe-{i}") for i in range(AGENTS)]
            t.ok(all(p.moves() for p in probes), "every probe asks", [(p.name, p.last) for p in probes], d.errors())
            load = Load(d, policies)
            before = settle(d, AGENTS)
            load.start()
            oshd_loop(t, w, d, probes, load)
            load.halt.set()
            load.join(120)
            t.ok(load.good and load.reloads and not load.bad, "new runs and reloads worked between the kills", load.bad[:3],
                 load.good, load.reloads, d.errors()[-2000:])
            t.ok(all(p.moves() for p in probes), "all are adopted, and answered", [(p.name, p.last) for p in probes],
                 d.errors()[-3000:])
            both(t, w, d, probes)
            roles_loop(t, w, d, probes)
            after = settle(d, AGENTS)
            print(f"# before {before}\n# after  {after}")
            t.ok(all(after[k] <= before[k] + (8 if "fds" in k else 4096 if "rss" in k else 0) for k in before),
                 "nothing piled up", before, after)
            ends = [p.end() for p in probes]
            t.ok(all(rc == 0 and not last["n_wrong"] for rc, last, _ in ends), "every probe ends well", ends)
            t.ok(until(lambda: facts(d)["boxes"] == 0, 10), "its cgroups go with it", facts(d))
        t.ok(until(lambda: not any(pids_of(r) for r in ("oshd", "osh-launch", "osh-audit", "osh-egress", "osh-init")), 10),
             "nothing lives on")
        t.ok(until(lambda: not os.path.isdir(os.path.join(cgroup2(), "osh.slice", d.cgroup())), 5), "no cgroup is left")
    t.done()


if __name__ == "__main__":
    main()
