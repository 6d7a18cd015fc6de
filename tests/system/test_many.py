#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Many sandboxes: 32 created in parallel by a shell loop, each with what is its own; and create and delete again
and again (OSH_CYCLES times, 1000 without it), after which nothing more is held than before."""
import collections
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from lib import Tap, cgroup2, run  # noqa: E402
import osh  # noqa: E402
from osh import BASE_POLICY, OSHCTL, Daemon, Work, pids_of, until  # noqa: E402

POLICY = BASE_POLICY.replace("read_only:", "read_write: [/sandbox]\n  read_only:")
MANY = 32
CYCLES = int(os.environ.get("OSH_CYCLES", "1000"))
USER = 65534

LOOP = r"""
for i in $(seq "$MANY"); do
    "$OSHCTL" sandbox create --socket "$BUS" -p "$POLICY" -w "$WORK/$i" -n "many-$i" -l many=yes -- \
        sh -c 'echo "$1" > /sandbox/mine; cat /sandbox/mine > result; while [ ! -e stop ]; do sleep 0.1; done' sh "$i" &
done
wait
"""


def tree(pid):
    """A daemon and what it forked."""
    found, children = [pid], collections.defaultdict(list)
    for p in filter(str.isdigit, os.listdir("/proc")):
        try:
            children[int(open(f"/proc/{p}/stat").read().rsplit(")", 1)[1].split()[1])].append(int(p))
        except OSError:
            pass
    for p in found:
        found += children[p]
    return found


def held(d):
    """What the daemon and its roles hold: descriptors by kind, its cgroups, this host's mounts and links, its pinned maps'
    entries, its files."""
    count = collections.Counter()
    for role in ("oshd", "osh-launch", "osh-audit"):
        for pid in pids_of(role):
            for target in osh.held(pid).values():
                kind = re.sub(r"[0-9a-f]{6,}|\d+", "N", target)
                count[f"{role} fd {kind}"] += 1
    maps = "osh-launch fd user:[N]"       # id maps are kept for the next sandbox of that identity, 64 at most
    count[maps] = max(count[maps] - 64, 0)
    for pid in tree(d.p.pid):
        path = osh.exe(pid)[0]      # empty: it has ended
        count["process " + os.path.basename(path)] += bool(path)
    for at, _, _ in os.walk(cgroup2()):
        count["cgroups"] += d.instance() in at
    count["mounts"] = len([m for m in open("/proc/self/mountinfo") if d.state in m])
    count["network links"] = len(os.listdir("/sys/class/net"))
    pins = f"/sys/fs/bpf/osh/{d.cgroup().rsplit('.abi', 1)[1]}/{d.instance()}"
    for at, _, files in os.walk(pins):
        for f in files:
            rc, out, _ = run(["bpftool", "-j", "map", "dump", "pinned", os.path.join(at, f)], 200)
            if rc == 0 and out.startswith("["):
                count["map " + f] = len(json.loads(out))
    for at, dirs, files in os.walk(os.path.join(d.state, "sandboxes")):
        count["files of homes"] += len(dirs) + len(files)
    return count


def rss(role):
    return sum(int((re.findall(r"VmRSS:\s+(\d+)", osh.proc(p, "status")) or [0])[0]) for p in pids_of(role))


def differs(before, after):
    return sorted(f"{k}: {before[k]} before, {after[k]} after" for k in before | after if before[k] != after[k])


def settled(d, before):
    """osh-launch makes things ahead when it is idle: it is given the time."""
    until(lambda: not differs(before, held(d)), 10, 0.2)
    return held(d)


def ctl(d, *args, timeout=60, **kw):
    return run([OSHCTL, "sandbox", args[0], "--socket", d.bus, *args[1:]], timeout, cwd="/", **kw)


def rows(d):
    return json.loads(ctl(d, "list", "--json")[1])


def parallel(t, w, d):
    top = os.path.join(w.dir, "works")
    os.mkdir(top)
    for i in range(1, MANY + 1):
        os.mkdir(f"{top}/{i}")
        os.chown(f"{top}/{i}", USER, USER)
    env = {**os.environ, "MANY": str(MANY), "OSHCTL": OSHCTL, "BUS": d.bus, "POLICY": w.policy, "WORK": top}
    before = held(d)
    start = time.monotonic()
    rc, out, err = run(["sh", "-c", LOOP], 120, env=env, user=USER, group=USER, extra_groups=[], cwd="/")
    t.ok(rc == 0 and len(out.split()) == MANY, f"{MANY} are created by a shell loop", rc, out, err, d.errors())
    print(f"# in {time.monotonic() - start:.2f} s")
    t.ok(len(set(out.split())) == MANY and all(r["state"] == "running" for r in rows(d)), "and all run", rows(d))
    nets = {os.readlink(f"/proc/{p}/ns/net") for p in pids_of("osh-init")}
    t.ok(len(nets) == MANY and os.readlink("/proc/self/ns/net") not in nets, "each in a network namespace of its own", len(nets))

    def results():
        return [open(f"{top}/{i}/result").read() if os.path.exists(f"{top}/{i}/result") else "" for i in range(1, MANY + 1)]
    t.ok(until(lambda: results() == [f"{i}\n" for i in range(1, MANY + 1)], 20),
         "each wrote from its own home into its own work tree", results())
    homes = [x for x in os.listdir(os.path.join(d.state, "sandboxes")) if x.isdigit()]
    t.ok(len(homes) == MANY and {open(f"{d.state}/sandboxes/{h}/home/mine").read() for h in homes} == set(results()),
         "and has a home on disk", homes)
    for i in range(1, MANY + 1):
        open(f"{top}/{i}/stop", "w").close()
    t.ok(until(lambda: all(r["state"] == "stopped" and r.get("exit-status") == 0 for r in rows(d)), 20), "they end with their commands",
         rows(d))
    rc, out, err = ctl(d, "prune", "-l", "many=yes", user=USER, group=USER, extra_groups=[])
    t.ok(rc == 0 and len(out.split()) == MANY and rows(d) == [], "and are pruned", out, err)
    after = settled(d, before)
    t.ok(not differs(before, after), "listings are as before: namespaces, cgroups, mounts, links, processes, maps", *differs(before, after))


def cycles(t, w, d):
    before, memory = held(d), {r: rss(r) for r in ("oshd", "osh-launch", "osh-audit")}
    start, failed = time.monotonic(), []
    for i in range(CYCLES):
        name = f"cycle-{i}"
        rc, _, err = ctl(d, "create", "-p", w.policy, "-w", w.work, "-n", name)
        rc2, _, err2 = ctl(d, "delete", "-f", name)
        if rc or rc2:
            failed.append((i, err, err2))
    seconds = time.monotonic() - start
    t.ok(not failed, f"{CYCLES} cycles of create and delete", failed[:3], d.errors())
    after = settled(d, before)
    t.ok(not differs(before, after), "leak nothing", *differs(before, after))
    grown = {r: rss(r) - memory[r] for r in memory}
    print(f"# {seconds:.1f} s, {1000 * seconds / CYCLES:.0f} ms each; memory grew by {grown} KiB")
    t.ok(all(g < 4096 + 4 * CYCLES for g in grown.values()), "nor memory", grown)
    kinds = subprocess.run(["du", "-sk", d.state], capture_output=True, text=True, check=False).stdout.split()[0]
    t.ok(int(kinds) < 65536, "nor disk", kinds)


def main():
    t = Tap()
    with Work(POLICY) as w, Daemon(w) as d:
        # what is made once, and kept, is there before anything is counted
        ctl(d, "create", "-p", w.policy, "-w", w.work, "-n", "warm")
        ctl(d, "delete", "-f", "warm")
        time.sleep(1)
        parallel(t, w, d)
        cycles(t, w, d)
    t.done()


if __name__ == "__main__":
    main()
