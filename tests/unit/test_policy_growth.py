#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Instructions to compile 1 000, 3 000 and 10 000 rules, counted by callgrind, grow at most as n log n. Time is a
row of bench/; instructions are the same on every run, so they may fail a test."""
import math
import os
import re
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, os.environ.get("OSH_BUILD", "build"), "tests/tools/policy_cost")
# Rules of their own host; with programs, ports and a wildcard each; all for one host; all below one wildcard; and
# rules about requests, which `check` reads whatever the runtime takes.
SHAPES = (("compile", "short"), ("compile", "rules"), ("compile", "shared"), ("compile", "covered"), ("check", "requests"))
SIZES = (1000, 3000, 10000)
SLACK = 1.02            # libc's memory decides at steps when to ask for more


def instructions(verb, shape, n):
    p = subprocess.run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", TOOL, verb, shape, str(n)],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False, text=True)
    found = re.search(r"Collected : (\d+)", p.stderr)
    if p.returncode or not found:
        sys.exit(f"not ok 1 - {verb} {shape} {n}: exit {p.returncode}\n# {p.stderr[-600:]}")
    return int(found.group(1))


def main():
    if not shutil.which("valgrind") or "san" in os.environ.get("OSH_BUILD", ""):
        print("ok 1 - growth # SKIP " + ("not under a sanitizer" if shutil.which("valgrind") else "valgrind is not installed"))
        print("1..1")
        return 0
    bad = 0
    for i, (verb, shape) in enumerate(SHAPES, 1):
        cost = [instructions(verb, shape, n) for n in SIZES]
        good = all(b / a <= SLACK * (m * math.log(m)) / (n * math.log(n))
                   for a, b, n, m in zip(cost, cost[1:], SIZES, SIZES[1:]))
        bad += not good
        print("ok" if good else "not ok", i, f"- {verb} {shape}: " +
              ", ".join(f"{n}: {c / 1e6:.1f} M" for n, c in zip(SIZES, cost)) + f"; 1 000 to 10 000: {cost[2] / cost[0]:.2f} times")
    print(f"1..{len(SHAPES)}")
    return bool(bad)


sys.exit(main())
