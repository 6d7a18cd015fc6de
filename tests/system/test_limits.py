#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits of one sandbox: a bomb in it ends there, is on record, and leaves the daemon and the other sandboxes alone. By
cgroup v1 where the host has the controllers there, by v2 elsewhere."""
import glob
import json
import os
import re
import signal
import subprocess
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


    def hits(self, which):
        return [e for e in self.events("LIMIT") if e["osh"]["aux"] == which]

    def ended(self):
        return self.events("ENDED")


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
    found = until(lambda: box.hits(1), 20)
    t.ok(found and found[0]["osh"]["event"] == "life", "what is refused is on record while it goes on", found)
    rc, _, err = box.ctl("stop", "-t", "1")
    t.ok(rc == 0, "and is stopped", err)
    found = until(lambda: box.ended() and box.hits(1), 20)
    t.ok(found and sum(e["count"] for e in found) > 100 and len(found) < 20, "in few lines, and with its end in full", found)
    box.ctl("delete", "-f")


def t_memory(t, d, other):
    box = Box(d, "memory", LIMITED)
    rc, _, err = box.exec("python3", "-c", MEMORY)
    got = box.get()
    t.ok(rc == 137 and got.get("memory-killed", 0) >= 1 and got.get("memory-max") == 192 << 20,
         "who takes more memory than allowed is ended, and nobody else", rc, err, got)
    rc, out, err = box.exec("echo", "alive")
    t.ok(rc == 0 and out == "alive\n", "the sandbox goes on", rc, err)
    t.ok(until(lambda: box.hits(2), 20), "and the kill is on record by now")
    others_work(t, d, other, "a memory bomb")
    rc, out, err = box.exec("sh", "-c", "dd if=/dev/zero of=/tmp/full bs=1M count=4096 2>&1; rm -f /tmp/full; echo after")
    size = int((re.search(r"(\d+) bytes", out) or [0, 0])[1])
    t.ok(size < 192 << 20, "files in /tmp count as memory", rc, out, err)
    others_work(t, d, other, "a full disk")
    killed = box.get().get("memory-killed", 0)
    box.ctl("stop", "-t", "1")
    found = until(lambda: box.ended() and box.hits(2), 20)
    t.ok(found and sum(e["count"] for e in found) == killed, "all its lines together count every kill", killed, found)
    box.ctl("delete", "-f")


def t_cpu(t, d, _):
    box = Box(d, "cpu", LIMITED, "sh", "-c", "while :; do :; done")
    at = v1("cpu")
    files = glob.glob(f"{at}/**/osh.{d.cgroup()}.*/cpu.cfs_quota_us", recursive=True) if at else \
        glob.glob(f"/sys/fs/cgroup/osh.slice/{d.cgroup()}/box/*/cpu.max")
    said = {open(f).read().split()[0] for f in files}
    t.ok("50000" in said, "half a processor is fifty of a hundred milliseconds", box.made, said, files)
    stat = [os.path.join(os.path.dirname(f), "cpu.stat") for f in files if open(f).read().split()[0] == "50000"]
    t.ok(until(lambda: box.get().get("cpu-time", 0) > 100000 and box.get().get("cpu-max") == 500, 60), "what it took is shown", box.get())
    throttled = until(lambda: any(int(re.search(r"nr_throttled (\d+)", open(s).read()).group(1)) for s in stat), 60)
    t.ok(throttled, "and who wants more waits")
    box.ctl("delete", "-f")


def files_of(d, controller, name, v2_name):
    """The files of that controller of this instance's sandboxes."""
    at = v1(controller)
    return glob.glob(f"{at}/**/osh.{d.cgroup()}.*/{name}", recursive=True) if at else \
        glob.glob(f"/sys/fs/cgroup/osh.slice/{d.cgroup()}/box/*/{v2_name}")


def t_swap(t, d, _):
    """Its number is what counts here: a host may have no swap at all."""
    def said():
        return {open(f).read().strip() for f in files_of(d, "memory", "memory.memsw.limit_in_bytes", "memory.swap.max")}
    if not said():
        t.skip("swap", "no controller counts swap here")
        return
    box = Box(d, "swap", BASE_POLICY + "resources: {memory: 64Mi, swap: 32Mi}\n")
    want = str((96 if v1("memory") else 32) << 20)
    t.ok(box.made[0] == 0 and want in said(), "memory and swap have each their size", box.made, said())
    box.ctl("delete", "-f")
    if not v1("memory"):
        t.ok(said() == {"0"}, "and who asks for none has none", said())


def t_io(t, d, _):
    box = Box(d, "io", BASE_POLICY + "resources: {io_weight: 50}\n")
    if box.made[0]:
        t.ok("resources.io_weight" in box.made[2] and "io" in box.made[2], "a weight that nobody heeds is refused by name", box.made)
        return
    said = [open(f).read().split()[-1] for n, m in (("blkio.bfq.weight", "io.weight"), ("blkio.weight", "io.bfq.weight"))
            for f in files_of(d, "blkio", n, m)]
    t.ok("50" in said, "half the usual share of a disk", said)
    box.ctl("delete", "-f")


def t_files(t, d, other):
    box = Box(d, "files", BASE_POLICY + "resources: {files: 40}\n")
    rc, out, err = box.exec("python3", "-c", "import os\nn = []\ntry:\n while True: n.append(os.dup(0))\n"
                            "except OSError as e: print(len(n) + 3, e.errno)")
    t.ok(rc == 0 and out.split()[1:] == ["24"] and 36 <= int(out.split()[0]) <= 40, "a process opens no more files than it may",
         rc, out, err, box.made)
    rc, out, err = box.exec("sh", "-c", "ulimit -Hn; ulimit -n 41")
    t.ok(out.split()[:1] == ["40"] and rc, "nor allows itself more", rc, out, err)
    many = [subprocess.Popen([OSHCTL, "sandbox", "exec", "--socket", d.bus, "-T", "files", "--", "sh", "-c", "echo up; read x"],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(20)]
    said = [p.stdout.readline() for p in many]
    for p in many:
        p.communicate("\n")
    t.ok(said == ["up\n"] * 20, "osh-init itself has what it needs, for twenty sessions at once", said)
    rc, out, _ = other.exec("sh", "-c", "ulimit -n")
    t.ok(rc == 0 and out != "40\n", "and another sandbox has its own", out)
    box.ctl("delete", "-f")


def t_disk(t, d, other):
    box = Box(d, "disk", BASE_POLICY + "resources: {disk: 8Mi}\n")
    got = box.get()
    t.ok(got.get("disk-max") == 8 << 20 and got.get("disk", 9 << 20) < 8 << 20 and not got.get("disk-full"), "its disk is shown", got)
    rc, out, err = box.exec("sh", "-c", "head -c 6M /dev/zero >/tmp/a; head -c 6M /dev/zero >/dev/shm/b; stat -c %s /tmp/a /dev/shm/b")
    a, b = (int(x) for x in (out.split() + ["0", "0"])[:2])
    t.ok(a == 6 << 20 and 0 < b <= 2 << 20 and "No space left" in err, "one size for all private trees", rc, out, err, box.made)
    found = until(lambda: box.hits(3), 20)
    t.ok(found and box.get().get("disk-full", 0) >= 1 and box.get().get("disk") == 8 << 20, "that it is full is on record", found, box.get())
    rc, out, _ = box.exec("sh", "-c", "rm /tmp/a; head -c 5M /dev/zero >/tmp/c && echo room")
    t.ok(rc == 0 and out == "room\n", "and what is removed is free again", rc, out)
    others_work(t, d, other, "a disk that is full")
    box.ctl("delete", "-f")


def t_disk_in_flood(t, d, _):
    """Who hits one limit without end does not hide another."""
    box = Box(d, "flood", BASE_POLICY + "resources: {pids: 48, disk: 8Mi}\n", "bash", "-c", "head -c 9M /dev/zero >/tmp/a; " + FORKS)
    found = until(lambda: box.hits(3), 60)
    t.ok(found and box.get().get("tasks-refused", 0) > 0, "a disk that is full is on record while a fork bomb goes on", found, box.made)
    box.ctl("delete", "-f")


def t_wall(t, d, other):
    box = Box(d, "wall", BASE_POLICY + "resources: {wall: 2s}\n", "sh", "-c", "trap '' TERM; while :; do sleep 1; done")
    got = until(lambda: box.get().get("state") == "stopped" and box.get(), 60)
    t.ok(got and "resources.wall" in got.get("reason", ""), "a sandbox ends when its time is over, also one that ignores SIGTERM",
         box.made, got)
    t.ok(until(lambda: len(box.hits(4)) == 1, 20), "and it is on record", box.hits(4))
    rc, _, err = box.ctl("start")
    t.ok(rc == 0 and until(lambda: box.get().get("state") == "stopped", 60), "a start gives it the same time again", rc, err)
    box.ctl("delete", "-f")
    w = d.work
    policy = w.write("wall.yaml", BASE_POLICY + "resources: {wall: 1s}\n")
    rc, _, err = run([OSHCTL, "run", "-p", policy, "--workdir", w.work, "--", "sleep", "1000"], LIMIT)
    t.ok(rc == 143 and "resources.wall" in err, "so does a run without a resident oshd", rc, err)
    others_work(t, d, other, "one whose time was over")


def t_options(t, d, other):
    """Options come before the policy, and stay: over a restart, and another policy revision."""
    w = d.work
    policy = w.write("options.yaml", BASE_POLICY + "resources: {pids: 90, files: 50}\n")
    rc, _, err = run([OSHCTL, "sandbox", "create", "--socket", d.bus, "-n", "options", "-p", policy, "-w", w.work, "--pids", "60",
                      "--memory", "128Mi", "--disk", "1Mi"], LIMIT)
    box = Box.__new__(Box)
    box.d, box.name = d, "options"

    def holds():
        got = box.get()
        _, out, err = box.exec("sh", "-c", "ulimit -n; stat -f -c '%b %S' /tmp")
        return got.get("tasks-max") == 60 and got.get("memory-max") == 128 << 20 and out == "50\n256 4096\n" or (got, out, err)
    t.ok(rc == 0 and holds() is True, "what an option says is in force, and the rest of the policy", rc, err, holds())
    rc, _, err = box.ctl("restart", "-t", "1")
    t.ok(rc == 0 and holds() is True, "after a restart too", rc, err, holds())
    rc, _, err = run([OSHCTL, "policy", "set", "options", "-p", policy, "--socket", d.bus], LIMIT)
    t.ok(rc == 0 and holds() is True, "its policy may be set again", rc, err, holds())
    box.ctl("delete", "-f")
    rc, out, err = run(d.command("sh", "-c", "ulimit -n", options=("--files", "77")), LIMIT)
    t.ok(rc == 0 and out == "77\n", "a run has them too", rc, out, err)
    for option, value, says in (("--memory", "1x", "no size"), ("--wall", "3", "no time"), ("--files", "9", "less than 16"),
                                ("--io-weight", "99999", "more than 10000"), ("--cpu", "1m", "less than 10m")):
        rc, _, err = run([OSHCTL, "run", option, value, "--", "true"], LIMIT)
        t.ok(rc and f"{option}: '{value}'" in err and says in err, f"{option} {value} is refused with its reason", rc, err)


def t_user(t, d, _):
    """The machine is everybody's: a user asks for less than the default, not for more."""
    w, work = d.work, os.path.join(d.work.dir, "his")
    who = {"user": 1809, "group": 1809, "extra_groups": []}
    os.mkdir(work)
    os.chown(work, 1809, 1809)

    def start(amount):
        policy = w.write("user.yaml", BASE_POLICY.replace("process: {run_as_user: sandbox}\n", "") + f"resources: {{{amount}}}\n")
        return run([OSHCTL, "run", "--socket", d.bus, "-p", policy, "--workdir", work, "--", "true"], LIMIT, cwd=work, **who)
    for amount in ("pids: 9000", "memory: 4096Gi", "disk: 4096Gi", "io_weight: 101"):
        rc, _, err = start(amount)
        t.ok(rc == 125 and "resources." + amount.split(":")[0] in err and "root" in err, f"a user may not have {amount}", rc, err)
    rc, _, err = start("pids: 90, memory: 256Mi, disk: 8Mi")
    t.ok(rc == 0, "and has less where he says so", rc, err)


def t_wall_kept(t, d, _):
    """kill -9 of oshd: the time goes on, from the start of the sandbox on."""
    box = Box(d, "kept", BASE_POLICY + "resources: {wall: 1s}\n", "sleep", "1000")
    os.kill(d.p.pid, signal.SIGKILL)
    d.p.wait()
    d.start()
    t.ok(until(lambda: box.get().get("state") == "stopped", 60), "the next oshd ends what is over its time", box.made, d.errors())
    box.ctl("delete", "-f")


def t_fixed(t, d, other):
    w = d.work
    policy = w.write("more.yaml", BASE_POLICY + "resources: {pids: 9000}\n")
    rc, _, err = run([OSHCTL, "policy", "set", other.name, "-p", policy, "--socket", d.bus], LIMIT)
    t.ok(rc == 1 and "resources" in err, "a reload changes no limit, and says so", rc, err)


def t_kept(t, d, other):
    """kill -9 of oshd: the limits stay, the next one shows them, and at the end nothing is left."""
    box = Box(d, "told", LIMITED)
    box.exec("python3", "-c", MEMORY)
    t.ok(until(lambda: box.hits(2), 20), "a kill is on record")
    os.kill(d.p.pid, signal.SIGKILL)
    d.p.wait()
    d.start()
    box.exec("python3", "-c", MEMORY)
    t.ok(until(lambda: box.get().get("memory-killed", 0) >= 2, 20), "the next oshd counts on", box.get())
    killed = box.get()["memory-killed"]
    box.ctl("stop", "-t", "1")
    until(box.ended, 20)
    t.ok(sum(e["count"] for e in box.hits(2)) == killed, "and tells no kill a second time", killed, box.hits(2))
    box.ctl("delete", "-f")
    got = other.get()
    t.ok(got.get("tasks-max", 0) > 0 and got.get("tasks", 0) > 0, "the next oshd knows them", got)
    t.ok(not v1("pids") or left(d.cgroup()), "as directories that this instance has", left(d.cgroup()))
    other.ctl("delete", "-f")
    t.ok(until(lambda: not left(d.cgroup()), 20), "and with the sandbox they go", *left(d.cgroup()))


def without(controller):
    return ["unshare", "-m", "sh", "-c", f'umount {v1(controller)} && exec "$@"', "sh"]


def t_missing(t, w):
    if not v1("pids"):
        t.skip("no controller", "v1 has none here to take away")
        return
    for controller, asks in (("pids", "pids: 100"), ("memory", "memory: 64Mi"), ("memory", "swap: 32Mi"), ("cpu", "cpu: '0.5'"),
                             ("blkio", "io_weight: 50")):
        if not v1(controller):
            t.skip(f"no controller {controller}", "v1 does not have it here to take away")
            continue
        policy = w.write("asks.yaml", BASE_POLICY + f"resources: {{{asks}}}\n")
        rc, _, err = run([*without(controller), OSHCTL, "run", "-p", policy, "--workdir", w.work, "--", "true"], LIMIT)
        name = "resources." + asks.split(":")[0]
        t.ok(rc == 125 and name in err and ("doctor" in err or "neither cgroup v2 nor v1" in err), f"without {controller}: {name}, which nobody can keep, is refused by name", rc, err)
        rc, _, err = run([*without(controller), OSHCTL, "run", "-p", w.policy, "--workdir", w.work, "--", "true"], LIMIT)
        t.ok(rc == 0, "and who does not ask starts", rc, err)
    rc, out, _ = run([*without("pids"), OSHCTL, "doctor", "--json"], LIMIT)
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
            for case in (t_defaults, t_forks, t_memory, t_cpu, t_swap, t_io, t_files, t_disk,
                         t_disk_in_flood, t_wall, t_options, t_user, t_wall_kept, t_fixed, t_kept):
                case(t, d, other)
        t.ok(not left(d.cgroup()), "nothing is left behind", *left(d.cgroup()))
        t_missing(t, w)
    t.done()


if __name__ == "__main__":
    main()
