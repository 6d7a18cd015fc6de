#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random system calls inside a sandbox (tests/tools/callfuzz.c), looked at from outside: nothing that lies outside is read,
no file outside changes, no byte arrives, no process of the engine ends or stops, and the next sandbox starts.
OSH_FUZZ_SECONDS: how long (default 20). OSH_FUZZ_SEED: where it begins (default: the day's). SEEDS are those that found something."""
import os
import secrets
import shutil
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from attacks import POLICIES  # noqa: E402
from lib import BUILD, Tap  # noqa: E402
from osh import pids_of  # noqa: E402
from world import World  # noqa: E402

SEEDS = []
ROUNDS, CALLS = 40, 400


def files(top):
    """What can change of a file, for all below TOP."""
    found = {}
    for d, dirs, names in os.walk(top):
        for n in dirs + names:
            p = os.path.join(d, n)
            st = os.lstat(p)
            with open(p, "rb") if os.path.isfile(p) else open(os.devnull, "rb") as f:
                found[p] = (st.st_mode, st.st_uid, st.st_size, st.st_mtime_ns, st.st_ino, st.st_nlink, f.read())
    return found


def engine():
    """(name, pid, when it started) of each process that lasts; one that is stopped is none."""
    found = set()
    for name in ("oshd", "osh-launch", "osh-audit", "osh-front"):
        for pid in pids_of(name):
            try:
                with open(f"/proc/{pid}/stat") as f:
                    stat = f.read().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if stat[0] not in "TtZ":
                found.add((name, pid, stat[19]))
    return found


def tidy(w):
    """The working directory is its own to spoil: as it was."""
    shutil.rmtree(w.work, ignore_errors=True)
    os.makedirs(w.work, exist_ok=True)
    os.chmod(w.work, 0o755)
    shutil.copy(os.path.join(BUILD, "tests/tools/callfuzz"), w.work)
    shutil.copy(w.anchor, w.ca)


def fuzz(w, seed, token, paths):
    tidy(w)
    disguised = bytes(b ^ 0x55 for b in token.encode()).decode("latin-1")
    # The policy lets it have sockets, names and an egress: what it may do is part of what it tries.
    return w.run(w.policy(POLICIES["any"]), [os.path.join(w.work, "callfuzz"), str(seed), str(ROUNDS), str(CALLS), disguised, *paths], 200)


def main():
    t = Tap()
    token = "osh" + secrets.token_hex(12)
    seconds = int(os.environ.get("OSH_FUZZ_SECONDS", "20"))
    first = int(os.environ.get("OSH_FUZZ_SEED", time.strftime("%Y%m%d0000")))
    with World() as w, w.resident() as d:
        outside = os.path.join(w.dir, "home")
        for name in ("token", "two", ".ssh/id_ed25519"):
            with open(os.path.join(outside, name), "w") as f:
                f.write(token + "\n")
            os.chmod(os.path.join(outside, name), 0o644)
        paths = [d.bus, outside, w.secret, os.path.join(outside, "token"), w.dir, d.state, w.work, f"/proc/{w.outsider}/root",
                 f"/proc/{d.p.pid}/mem", f"/proc/{d.p.pid}/fd"]
        r = fuzz(w, first, "\x7fELF\x02\x01\x01", ["/usr/bin/true"] * 80)
        t.ok("LEAK" in r.out, "bytes of a file that it may read are found: the search works", r)
        before, here, arrived = files(outside), engine(), w.canary.counts()
        end, seed, runs, bad = time.monotonic() + seconds, first, 0, []
        todo = list(SEEDS)
        while todo or time.monotonic() < end:
            seed = todo.pop() if todo else seed + ROUNDS
            r = fuzz(w, seed, token, paths)
            runs += 1
            if "LEAK" in r.out or r.rc == 125:
                bad.append((seed, str(r)))
            if files(outside) != before or w.canary.counts() != arrived or not here <= engine():
                bad.append((seed, "something outside changed", w.canary.counts(), here - engine()))
            if bad:
                break
        print(f"# {runs} sandboxes, {runs * ROUNDS * CALLS} calls, seeds from {first}")
        t.ok(not bad, "random calls read, change and reach nothing outside, and end no process of the engine", *bad[:1])
        tidy(w)
        r = w.run(w.policy(POLICIES["web"]), ["/usr/bin/curl", "-sS", "-m", "60", "--cacert", w.ca, "https://allowed.example/hello"])
        t.ok(r.rc == 0 and "hello from outside" in r.out, "after it the next sandbox starts and has its network", r)
    t.done()


if __name__ == "__main__":
    main()
