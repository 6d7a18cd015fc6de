#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Processor time to compile 10 000 rules against 1 000 rules of the same shape, in turn."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TOOL = os.path.join(ROOT, "build/tests/tools/policy_cost")


def took(shape, n):
    return float(subprocess.run([TOOL, "compile", shape, str(n)], stdout=subprocess.PIPE, check=True, text=True).stdout)


def main():
    rounds = min(int(sys.argv[1]), 20)
    print("a compile 10 000 rules (ports, programs, a wildcard)\nb compile 1 000 of them\nmax 16")
    for _ in range(rounds):
        print("A", took("rules", 10000))
        print("B", took("rules", 1000))
    for shape in ("short", "shared", "covered"):
        print(f"note {shape}: 10 000 in {took(shape, 10000) / 1000:.1f} ms, 1 000 in {took(shape, 1000) / 1000:.1f} ms")


main()
