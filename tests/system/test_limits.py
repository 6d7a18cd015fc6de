#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of one sandbox: a bomb in it ends there, is on record, and leaves the daemon and the other sandboxes alone. By
cgroup v1 where the host has the controllers there, by v2 elsewhere."""
import glob
import json
import os
import re
import signal
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, run  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, until  # noqa: E402

LIMIT = 240
LIMITED = BASE_POLICY + "resources: {pids: 48, memory: 192Mi, cpu: '0.5'}\n"
FORKS = "bomb() { bomb | bomb & }; while :; do bomb; sleep 0.1; done"
MEMORY = "import os\nx = []\nwhile True: x.append(os.urandom(1 << 20))"


def v1(controller):
    """Where a v1 hierarchy with this controller is mounted, or None."""
    for line in open("/proc/self/mountinfo"):
        left, right = line.split(" - ", 1)
        if right.split()[0] == "cgroup" and controller in right.split()[2].split(","):
            return left.split()[4]
    return None


def left(name):
    """Directories in v1 hierarchies of this instance."""
    return [d for c in ("pids", "memory", "cpu") if v1(c) for d in glob.glob(f"{v1(c)}/**/osh.{name}.*", recursive=True)]


class Box:
    """A created sandbox."""

    def __init__(self, d, name, text, *command):
        w, self.d, self.name = d.work, d, name
        policy = w.write(name + ".yaml", text)
        self.made = run([OSHCTL, "sandbox", "create", "--socket", d.bus, "-n", name, "-p", policy, "-w", w.work, "--log",
                         os.path.join(w.dir, name + ".jsonl"), *(["--", *command] if command else [])], LIMIT)

    def ctl(self, verb, *args):
        return run([OSHCTL, "sandbox", verb, "--socket", self.d.bus, self.name, *args], LIMIT)

    def get(self):
        rc, out, err = self.ctl("get", "--json")
        return json.loads(out) if rc == 0 else {"error": err}

    def exec(self, *command):
        return run([OSHCTL, "sandbox", "exec", "--socket", self.d.bus, "-T", self.name, "--", *command], LIMIT)

    def events(self, reason):
        try:
            lines = open(os.path.join(self.d.work.dir, self.name + ".jsonl")).read().splitlines()
        except OSError:
            return []
        return [o for o in map(json.loads, lines) if o.get("osh", {}).get("reason") == reason]


def others_work(t, d, other, what):
    rc, out, err = other.exec("sh", "-c", "echo here; head -c 1000000 /dev/zero | wc -c")
    t.ok(rc == 0 and out.split() == ["here", "1000000"], f"{what}: another sandbox works", rc, out, err)
    rc, _, err = run(d.command("true"), LIMIT)
    t.ok(rc == 0 and d.p.poll() is None, f"{what}: a new one starts, and oshd is there", rc, err, d.errors())


def t_defaults(t, d, other):
    got = other.get()
    total = int(re.search(r"MemTotal:\s+(\d+)", open("/proc/meminfo").read()).group(1)) * 1024
    t.ok(0 < got.get("tasks-max", 0) <= 8192 and 0 < got.get("memory-max", 0) <= total * 3 // 4,
         "without a word in the policy there are limits", got)
    t.ok(0 < got.get("tasks", 0) < 20 and 0 < got.get("memory", 0) < total and got.get("tasks-refused") == 0,
         "and what it takes is shown", got)


def t_forks(t, d, other):
    box = Box(d, "forks", LIMITED, "bash", "-c", FORKS)
    hit = until(lambda: box.get().get("tasks-refused", 0) > 100 and box.get(), 60)
    t.ok(hit and hit["tasks-max"] == 48 and 0 < hit["tasks"] <= 48, "a fork bomb stays below its limit of tasks", box.made, hit)
    others_work(t, d, other, "a fork bomb")
    rc, _, err = box.ctl("stop", "-t", "1")
    t.ok(rc == 0, "and is stopped", err)
    found = until(lambda: [e for e in box.events("LIMIT") if e["osh"]["aux"] == 1], 20)
    t.ok(found and found[0]["count"] > 100 and found[0]["osh"]["event"] == "life", "and what was refused is on record", found)
    box.ctl("delete", "-f")


def t_memory(t, d, other):
    box = Box(d, "memory", LIMITED)
    rc, _, err = box.exec("python3", "-c", MEMORY)
    got = box.get()
    t.ok(rc == 137 and got.get("memory-killed", 0) >= 1 and got.get("memory-max") == 192 << 20,
         "who takes more memory than allowed is ended, and nobody else", rc, err, got)
    rc, out, err = box.exec("echo", "alive")
    t.ok(rc == 0 and out == "alive\n", "the sandbox goes on", rc, err)
    others_work(t, d, other, "a memory bomb")
    rc, out, err = box.exec("sh", "-c", "dd if=/dev/zero of=/tmp/full bs=1M count=4096 2>&1; rm -f /tmp/full; echo after")
    size = int((re.search(r"(\d+) bytes", out) or [0, 0])[1])
    t.ok(size < 192 << 20, "files in /tmp count as memory", rc, out, err)
    others_work(t, d, other, "a full disk")
    box.ctl("stop", "-t", "1")
    found = until(lambda: [e for e in box.events("LIMIT") if e["osh"]["aux"] == 2], 20)
    t.ok(found and found[0]["count"] >= 1, "and it is on record", found)
    box.ctl("delete", "-f")


def t_cpu(t, d, _):
    box = Box(d, "cpu", LIMITED, "sh", "-c", "while :; do :; done")
    at = v1("cpu")
    files = glob.glob(f"{at}/**/osh.{d.cgroup()}.*/cpu.cfs_quota_us", recursive=True) if at else \
        glob.glob(f"/sys/fs/cgroup/osh.slice/{d.cgroup()}/box/*/cpu.max")
    said = {open(f).read().split()[0] for f in files}
    t.ok("50000" in said, "half a processor is fifty of a hundred milliseconds", box.made, said, files)
    stat = [os.path.join(os.path.dirname(f), "cpu.stat") for f in files if open(f).read().split()[0] == "50000"]
    throttled = until(lambda: any(int(re.search(r"nr_throttled (\d+)", open(s).read()).group(1)) for s in stat), 60)
    t.ok(throttled, "and who wants more waits")
    box.ctl("delete", "-f")


def t_fixed(t, d, other):
    w = d.work
    policy = w.write("more.yaml", BASE_POLICY + "resources: {pids: 9000}\n")
    rc, _, err = run([OSHCTL, "policy", "set", other.name, "-p", policy, "--socket", d.bus], LIMIT)
    t.ok(rc == 1 and "resources" in err, "a reload changes no limit, and says so", rc, err)


def t_kept(t, d, other):
    """kill -9 of oshd: the limits stay, the next one shows them, and at the end nothing is left."""
    os.kill(d.p.pid, signal.SIGKILL)
    d.p.wait()
    d.start()
    got = other.get()
    t.ok(got.get("tasks-max", 0) > 0 and got.get("tasks", 0) > 0, "the next oshd knows them", got)
    t.ok(not v1("pids") or left(d.cgroup()), "as directories that this instance has", left(d.cgroup()))
    other.ctl("delete", "-f")
    t.ok(until(lambda: not left(d.cgroup()), 20), "and with the sandbox they go", *left(d.cgroup()))


def t_missing(t, w):
    at = v1("pids")
    if not at:
        t.skip("no controller", "v1 has none here to take away")
        return
    box = ["unshare", "-m", "sh", "-c", f'umount {at} && exec "$@"', "sh"]
    policy = w.write("asks.yaml", BASE_POLICY + "resources: {pids: 100}\n")
    rc, _, err = run([*box, OSHCTL, "run", "-p", policy, "--workdir", w.work, "--", "true"], LIMIT)
    t.ok(rc == 125 and "resources.pids" in err and "doctor" in err, "a limit that nobody can keep is refused by name", rc, err)
    rc, _, err = run([*box, OSHCTL, "run", "-p", w.policy, "--workdir", w.work, "--", "true"], LIMIT)
    t.ok(rc == 0, "and who does not ask starts", rc, err)
    rc, out, _ = run([*box, OSHCTL, "doctor", "--json"], LIMIT)
    states = {f["name"]: f["state"] for f in json.loads(out)["features"]}
    t.ok(rc == 1 and states["limit-tasks"] == "lacks" and states["limit-memory"] == "works", "doctor says which", rc, states)


def main():
    t = Tap()
    if os.geteuid():
        t.skip("limits", "needs root")
        t.done()
    with Work() as w:
        with Daemon(w) as d:
            other = Box(d, "other", BASE_POLICY)
            t.ok(other.made[0] == 0, "a sandbox to compare with", *other.made)
            for case in (t_defaults, t_forks, t_memory, t_cpu, t_fixed, t_kept):
                case(t, d, other)
        t.ok(not left(d.cgroup()), "nothing is left behind", *left(d.cgroup()))
        t_missing(t, w)
    t.done()


if __name__ == "__main__":
    main()
