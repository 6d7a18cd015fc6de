#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random pairs of policies: where `policy diff` finds nothing, eval decides a grid of requests the same; and
what the grid tells apart, diff finds. The grid is made here and shares nothing with diff's own questions."""
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CTL = os.path.join(ROOT, os.environ.get("OSH_BUILD", "build"), "oshctl")
PAIRS = int(os.environ.get("PAIRS", "60"))
rnd = random.Random(11)

HOSTS = ["a.ex.com", "b.ex.com", "*.ex.com", "**.ex.com", "x-*.ex.com", "c.a.ex.com", "9.9.9.0/24", "9.9.0.0/16"]
PORTS = [80, 443, 5000]
BINS = ["/usr/bin/a", "/usr/bin/b", "/usr/bin/*", "/opt/**", "/opt/t/x"]
NETS = ["10.1.0.0/16", "10.1.2.0/24", "10.0.0.0/8"]
PATHS = ["/usr", "/usr/bin", "/tmp", "/srv/d", "/srv"]
RULES = [("GET", "/a/*"), ("GET", "/a/**"), ("POST", "/a/b"), ("*", "/c/*/d"), ("GET", "/**")]


def some(values, most):
    return rnd.sample(values, rnd.randint(1, most))


def policy():
    lines = ["version: 1", "filesystem_policy:"]
    lines += [f"  read_only: {json.dumps(some(PATHS, 2))}", f"  read_write: {json.dumps(some(PATHS, 2))}"]
    lines += ["network_policies:"]
    for i in range(rnd.randint(1, 3)):
        lines += [f"  r{i}:", f"    binaries: {json.dumps(some(BINS, 2))}", "    endpoints:"]
        for host in some(HOSTS, 2):
            lines += [f"      - host: {json.dumps(host)}", f"        ports: {json.dumps(some(PORTS, 2))}"]
            if host[0] != "9" and rnd.random() < .2:
                lines += [f"        allowed_ips: {json.dumps(some(NETS, 1))}"]
            if host[0] != "9" and rnd.random() < .4:
                lines += ["        protocol: rest", "        enforcement: enforce", "        rules:"]
                lines += [f"          - allow: {{method: '{m}', path: '{p}'}}" for m, p in some(RULES, 2)]
                if rnd.random() < .4:
                    lines += ["        deny_rules: [{method: '%s', path: '%s'}]" % rnd.choice(RULES)]
    return "\n".join(lines) + "\n"


def grid():
    hosts = ["a.ex.com", "b.ex.com", "z.ex.com", "c.a.ex.com", "q.z.ex.com", "x-1.ex.com", "9.9.9.1", "9.9.1.1", "ex.com"]
    bins = ["/usr/bin/a", "/usr/bin/b", "/usr/bin/q", "/opt/t/x", "/opt/z", "/bin/no"]
    for h, p, b in itertools.product(hosts, PORTS, bins):
        at = {"host": h, "port": p, "binary": b}
        yield {"stage": "l4", "request": at}
        for ip in "8.8.8.8", "10.1.2.3", "10.1.9.9", "10.9.9.9":
            yield {"stage": "ssrf", "request": {**at, "resolves_to": [ip]}}
        for m, path in itertools.product(["GET", "POST", "PUT"], ["/a/b", "/a/b/c", "/c/x/d", "/z"]):
            yield {"stage": "l7", "request": {**at, "method": m, "path": path}}
    for h in hosts:
        yield {"stage": "dns", "request": {"host": h}}
    for path, access in itertools.product(["/usr/x", "/usr/bin/x", "/tmp/x", "/srv/x", "/srv/d/x", "/"], ["read", "write"]):
        yield {"stage": "file", "request": {"path": path, "access": access, "workdir": "/w"}}


def answers(file, lines):
    out = subprocess.run([CTL, "policy", "eval", "-p", file], input=lines, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL, check=False, text=True).stdout
    return [json.loads(line)["decision"] for line in out.splitlines()]


def valid(file):
    return subprocess.run([CTL, "policy", "check", file], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


def main():
    questions = [json.dumps(q) for q in grid()]
    lines = "\n".join(questions) + "\n"
    seen = {0: 0, 1: 0}
    missed = []
    with tempfile.TemporaryDirectory() as tmp:
        files = [f"{tmp}/old.yaml", f"{tmp}/new.yaml"]
        while sum(seen.values()) < PAIRS:
            old = policy()
            new = old
            for _ in range(rnd.randint(0, 2)):      # a line less, or one list turned around
                rows = new.splitlines()
                del rows[rnd.randrange(len(rows))]
                new = "\n".join(rows) + "\n"
            if rnd.random() < .3:
                new = policy()
            for file, text in zip(files, (old, new)):
                with open(file, "w", encoding="ascii") as f:
                    f.write(text)
            if not all(map(valid, files)):
                continue
            was, now = (answers(f, lines) for f in files)
            differ = [q for q, a, b in zip(questions, was, now) if a != b]
            status = subprocess.run([CTL, "policy", "diff", *files], stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, check=False, timeout=60).returncode
            assert status in (0, 1), status
            seen[status] += 1
            if differ and status == 0:
                missed.append((old, new, differ[0]))
    print("not ok" if missed else "ok", "1 - what a grid of requests tells apart, diff finds")
    for old, new, question in missed[:2]:
        print("# " + "\n# ".join((old + "---\n" + new + question).splitlines()))
    both = min(seen.values()) > 0
    print("ok" if both else "not ok", f"2 - both outcomes were met: {seen}")
    print("1..2")
    return bool(missed) or not both


sys.exit(main())
