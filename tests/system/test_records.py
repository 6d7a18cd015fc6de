#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an egress decided is on record also when its sandbox ends, and the egress with it, before osh-audit has read it."""
import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from l7_world import L7World  # noqa: E402
from lib import Tap, run  # noqa: E402
from osh import OSHCTL, late, until  # noqa: E402

N = 1500                # more than an egress holds by itself
POLICY = """  l7:
    endpoints:
      - host: allowed.example
        port: 443
        protocol: rest
        enforcement: enforce
        rules: [{allow: {method: GET, path: /ok/**}}]
    binaries: [{path: "/**"}]
"""
ASKS = r"""
import http.client, sys
c = http.client.HTTPSConnection("allowed.example", timeout=100)
def ask(path):
    c.request("GET", path)
    r = c.getresponse()
    r.read()
    return r.status
print(ask("/ok/first"), flush=True)
sys.stdin.readline()
for i in range(int(sys.argv[1])):
    if ask(f"/{'no' if i % 3 else 'ok'}/{i}") != (403 if i % 3 else 200):
        sys.exit(f"request {i}")
print("all", flush=True)
"""


def main():
    if os.geteuid():
        print("1..0 # SKIP needs root")
        return 0
    t = Tap()
    with L7World() as w, w.resident() as d:
        log = os.path.join(w.dir, "log")
        p = subprocess.Popen([OSHCTL, "run", "--socket", d.bus, "-n", "quick", "-p", w.write("policy.yaml", w.policy(POLICY)), "--workdir", w.work,
                              "--log", log, "--", "python3", "-c", ASKS, str(N)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        if p.stdout.readline() != "200\n":
            t.ok(False, "a sandbox whose requests are looked into", *p.communicate(timeout=60))
            return t.done()

        def state():
            rc, out, _ = run([OSHCTL, "sandbox", "list", "--json", "--socket", d.bus])
            return [r["state"] for r in json.loads(out)] if rc == 0 else out
        with late("osh-audit"):
            p.stdin.write("\n")
            p.stdin.flush()
            t.ok(p.stdout.readline() == "all\n", f"{N} requests while osh-audit does nothing")
            t.ok(until(lambda: state() == ["stopping"]), "it ends, and its egress with it", state())
        out, err = p.communicate(timeout=180)
        with open(log) as f:
            events = [json.loads(ln) for ln in f]
        paths = [e["http_request"]["url"]["path"] for e in events if e.get("osh", {}).get("event") == "http"]
        want = {"/ok/first", *(f"/{'no' if i % 3 else 'ok'}/{i}" for i in range(N))}
        t.ok(p.returncode == 0 and sorted(paths) == sorted(want), "each of them is on record, once", len(paths), sorted(want - set(paths))[:3], out, err[-300:])
    return t.done()


if __name__ == "__main__":
    sys.exit(main())
