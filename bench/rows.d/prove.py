#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Processor time to prove a policy of 2 000 rules against one of 200 rules of the same shape, in turn; notes: 200 rules whose
hosts all meet under a wildcard, and what is bounded."""
import os
import resource
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OSHCTL = os.path.join(ROOT, "build/oshctl")


def policy(n, wildcard=False):
    out = ["version: 1\nfilesystem_policy: {include_workdir: true, read_only: [/usr]}\nnetwork_policies:\n"]
    if wildcard:
        out.append("  w:\n    endpoints: [{host: '*.example.com', port: 8443, protocol: rest, access: read-only}]\n"
                   "    binaries: [{path: /usr/bin/p}]\n")
    for i in range(n):
        rules = (f", protocol: rest, rules: [{{allow: {{method: GET, path: '/v{i % 7}/**'}}}}, {{allow: {{method: POST, path: /up/*}}}}], "
                 f"deny_rules: [{{method: POST, path: /up/x{i % 5}}}]") if i % 2 else ""
        out.append(f"  r{i}:\n    endpoints: [{{host: h{i}.example.com, port: 443{rules}}}]\n"
                   f"    binaries: [{{path: /usr/bin/p{i % 11}}}]\n")
    return "".join(out)


def took(text):
    """Milliseconds of processor time, and the exit status."""
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        file = os.path.join(d, "p.yaml")
        with open(file, "w") as f:
            f.write(text)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        rc = subprocess.run([OSHCTL, "policy", "prove", "-w", "/w", file], stdout=subprocess.DEVNULL).returncode
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return sum(getattr(after, k) - getattr(before, k) for k in ("ru_utime", "ru_stime")) * 1000, rc


def main():
    rounds = max(1, min(int(sys.argv[1]), 60) // 20)
    small, large, shared = policy(200), policy(2000), policy(200, True)
    print("a prove 2 000 rules (half of them look inside)\nb prove 200 of them\nmax 16\nunit ms")
    for _ in range(rounds):
        for name, text in (("A", large), ("B", small)):
            ms, rc = took(text)
            if rc != 1:
                sys.exit(f"osh-prove: exit status {rc}")
            print(name, f"{ms:.1f}")
    ms, rc = took(shared)
    print(f"note 200 rules under one wildcard: {ms:.0f} ms, exit status {rc}")


main()
